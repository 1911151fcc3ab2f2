# SPDX-License-Identifier: Apache-2.0
"""What is asked of a namespace before it is written down."""

import testtools
import webob

from hypernetes.tests.support import application
from hypernetes.tests.support import database as builders


class CreateTest(testtools.TestCase):
    """POST /v1/namespaces."""

    def setUp(self) -> None:
        super().setUp()
        self.api = self.useFixture(application.Application())
        self.cluster = builders.cluster(self.api.database)

    def create(self, **fields: str) -> webob.Response:
        """The answer to a member's request."""
        body = {"name": "web", "cluster": "demo"} | fields
        return self.api.request("POST", "/v1/namespaces", "red_member", body)

    def test_a_cluster_is_named_by_name_or_id(self) -> None:
        self.assertEqual(202, self.create().status_int)
        self.assertEqual(202, self.create(name="shop", cluster=self.cluster.id).status_int)
        self.assertEqual(400, self.create(name="more", cluster="nowhere").status_int)

    def test_the_conductors_are_told(self) -> None:
        made = self.create().json_body
        self.assertEqual([("namespace", made["id"])], [(wake.kind, wake.id) for wake in self.api.conductor.woken])

    def test_a_silent_message_bus_costs_time_and_nothing_else(self) -> None:
        self.api.conductor.broken = True
        self.assertEqual(202, self.create().status_int)

    def test_reserved_names_are_refused_and_the_rule_is_named(self) -> None:
        for name in ("kube-system", "kube-foo", "default", "hypernetes-x", "openstack-x"):
            answer = self.create(name=name)
            self.assertEqual(400, answer.status_int)
            self.assertEqual("hypernetes.name.reserved", answer.json_body["errors"][0]["code"])

    def test_a_name_that_is_no_dns_label_is_refused(self) -> None:
        for name in ("", "Web", "-web", "web-", "a.b", "a" * 64, "web\n", "../x"):
            self.assertEqual(400, self.create(name=name).status_int, name)

    def test_a_taken_name_is_409_and_does_not_tell_whose_it_is(self) -> None:
        builders.namespace(self.api.database, self.cluster.id, "web", builders.BLUE)
        answer = self.create()
        self.assertEqual(409, answer.status_int)
        self.assertNotIn(builders.BLUE, answer.text)

    def test_subnets_in_which_pods_could_not_work_are_refused(self) -> None:
        for cidr in (
            "10.0.0.1/24",
            "10.0.0.0/29",
            "10.96.0.0/24",
            "10.0.0.0/8",
            "224.0.0.0/24",
            "127.0.0.0/24",
            "0.0.0.0/0",
            "169.254.0.0/24",
            "240.0.0.0/24",
            "0.1.0.0/24",
            "fd00::/64",
            "10.0.0.0/33",
            "0.0.0.0/24",
            "192.0.0.0/28",
            "128.0.0.0/1",
            "x",
        ):
            self.assertEqual(400, self.create(subnet_cidr=cidr).status_int, cidr)

    def test_a_subnet_of_ones_own_choice_is_taken(self) -> None:
        made = self.create(subnet_cidr="192.168.7.0/24").json_body
        self.assertEqual("192.168.7.0/24", self.api.database.namespaces.get(made["id"]).requested_cidr)

    def test_a_network_and_a_subnet_exclude_each_other(self) -> None:
        network = "11111111-1111-4111-8111-111111111111"
        self.assertEqual(400, self.create(network_id=network, subnet_cidr="192.168.7.0/24").status_int)
        self.assertEqual(202, self.create(network_id=network).status_int)

    def test_a_refusal_at_the_limit_names_the_limit_and_what_to_do(self) -> None:
        self.api.conf.set_override("namespaces_per_project", 2, group="api")
        builders.namespace(self.api.database, self.cluster.id, "theirs", builders.BLUE)
        self.assertEqual([202, 202], [self.create(name=name).status_int for name in ("one", "two")])
        answer = self.create(name="three")
        self.assertEqual((403, "hypernetes.limit.reached"), (answer.status_int, answer.json_body["errors"][0]["code"]))
        for said in ("limit of 2 namespaces", "Delete a namespace", "ask the operator"):
            self.assertIn(said, answer.text)
        self.api.conf.set_override("namespaces_per_project", -1, group="api")
        self.assertEqual(202, self.create(name="three").status_int)
