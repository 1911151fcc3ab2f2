# SPDX-License-Identifier: Apache-2.0
"""What a request that does not conform to its schema is answered."""

import fixtures
import testtools

from hypernetes.tests.support import application
from hypernetes.tests.support import database as builders


class MessageTest(testtools.TestCase):
    """The rule in words, and what was probably meant."""

    def setUp(self) -> None:
        super().setUp()
        self.api = self.useFixture(application.Application())

    def _detail(self, **body: str) -> str:
        response = self.api.request("POST", "/v1/namespaces", "red_member", {"name": "web", "cluster": "demo", **body})
        self.assertEqual(400, response.status_int)
        detail = str(response.json["errors"][0]["detail"])
        self.assertNotIn("dns-label", detail)
        self.assertNotIn("ipv4-cidr", detail)
        return detail

    def test_a_name_is_refused_with_the_rule_for_names(self) -> None:
        for name in ("under_score", "UPPER", "-a", "a-", "a b", "x" * 64, ""):
            detail = self._detail(name=name)
            self.assertIn(f"field name: {name!r} is not a DNS label", detail)
            self.assertIn("lower-case letters, digits and hyphens, at most 63", detail)

    def test_an_address_is_answered_with_its_network(self) -> None:
        for cidr, network in (("10.1.0.5/24", "10.1.0.0/24"), ("10.1.2.3/16", "10.1.0.0/16")):
            self.assertIn(f"the network is {network}", self._detail(subnet_cidr=cidr))

    def test_what_is_no_network_at_all_is_answered_with_an_example(self) -> None:
        for cidr in ("", "ten", "10.1.0/24", "10.1.0.0/33", "fd00::/64", "10.1.0.300/24"):
            self.assertIn("for example 10.1.0.0/24", self._detail(subnet_cidr=cidr))

    def test_a_reason_is_one_line(self) -> None:
        node = builders.node(self.api.database)
        for reason in ("a\nb", "a\n", "\x1b[2J", "a\u2028b", "", "x" * 256):
            body = {"disabled": True, "disabled_reason": reason}
            response = self.api.request("PATCH", f"/v1/nodes/{node.id}", "operator", body)
            self.assertEqual(400, response.status_int, repr(reason))
        detail = response.json["errors"][0]["detail"]
        self.assertIn("field disabled_reason: ", detail)

    def test_a_wrong_id_is_refused_in_words(self) -> None:
        self.assertIn("'nonsense' is not a UUID", self._detail(network_id="nonsense"))

    def test_rules_of_other_fields_are_in_words_too(self) -> None:
        network = "11111111-1111-4111-8111-111111111111"
        self.assertIn("exclude each other", self._detail(network_id=network, subnet_cidr="10.1.0.0/24"))
        cluster = {"name": "c", "control_nodes": ["n"], "kubernetes_version": "1.37"}
        response = self.api.request("POST", "/v1/clusters", "operator", cluster)
        self.assertIn("'1.37' is not a version such as v1.37.2", response.text)
        response = self.api.request("GET", "/v1/clusters?limit=0", "operator")
        self.assertIn("'0' is not a number from 1 to 999999", response.text)


class EncodingTest(testtools.TestCase):
    """A caller cannot fill the log."""

    def test_what_is_not_utf_8_is_refused_without_a_traceback(self) -> None:
        api = self.useFixture(application.Application())
        log = self.useFixture(fixtures.FakeLogger(level=0))
        for path in ("/v1/namespaces?name=%ff", "/v1/namespaces?%ff=1", "/v1/%ff", "/v1/clusters?name=a&name=%c3%28"):
            response = api.request("GET", path, "red_member")
            self.assertEqual(400, response.status_int, path)
            self.assertIn("not UTF-8", response.json["errors"][0]["detail"])
        self.assertNotIn("Traceback", log.output)
