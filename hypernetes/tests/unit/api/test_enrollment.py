# SPDX-License-Identifier: Apache-2.0
"""The one endpoint that takes no token."""

import hashlib
from typing import Any

import testtools
import webob

from hypernetes.tests.support import application

TOKEN_HASH = "7" * 64
PASSWORD = "p" * 43


class EnrollmentTest(testtools.TestCase):
    """A node's secret, and what it can be exchanged for."""

    def setUp(self) -> None:
        super().setUp()
        self.api = self.useFixture(application.Application())
        self.node: dict[str, Any] = self.api.request("POST", "/v1/nodes", "operator", {"name": "node1"}).json_body

    def enroll(self, **fields: str) -> webob.Response:
        """The answer to an enrollment with the right choices but for those given."""
        body = {
            "secret": self.node["enrollment_secret"],
            "token_hash": TOKEN_HASH,
            "amqp_password": PASSWORD,
        }
        return self.api.request("POST", f"/v1/nodes/{self.node['id']}/enroll", None, body | fields)

    def test_the_right_secret_opens_the_way_to_the_message_bus(self) -> None:
        answer = self.enroll()
        self.assertEqual(200, answer.status_int)
        self.assertEqual("node1", answer.json_body["node"])
        self.assertIn("{password}", answer.json_body["transport_url"])
        self.assertEqual(PASSWORD, self.api.conductor.enrolled[0].amqp_password)

    def test_the_database_has_hashes_only(self) -> None:
        self.enroll()
        record = self.api.database.nodes.get(self.node["id"])
        self.assertEqual(hashlib.sha256(self.node["enrollment_secret"].encode()).hexdigest(), record.secret_hash)
        self.assertEqual(TOKEN_HASH, record.token_hash)

    def test_the_secret_is_shown_once(self) -> None:
        shown = self.api.request("GET", f"/v1/nodes/{self.node['id']}", "operator").text
        self.assertNotIn(self.node["enrollment_secret"], shown)
        self.assertNotIn("secret", shown)

    def test_the_same_agent_may_repeat_it(self) -> None:
        self.enroll()
        self.assertEqual(200, self.enroll().status_int)

    def test_another_agent_with_the_same_secret_is_refused(self) -> None:
        self.enroll()
        self.assertEqual(401, self.enroll(token_hash="8" * 64).status_int)
        self.assertEqual(1, len(self.api.conductor.enrolled))

    def test_a_crash_between_record_and_message_bus_is_mended_by_repeating(self) -> None:
        self.api.conductor.broken = True
        self.assertEqual(503, self.enroll().status_int)
        self.api.conductor.broken = False
        self.assertEqual(200, self.enroll().status_int)

    def test_a_wrong_secret_and_an_unknown_node_look_alike(self) -> None:
        wrong = self.enroll(secret="x")
        self.node["id"] = "00000000-0000-4000-8000-000000000000"
        unknown = self.enroll()
        self.assertEqual((401, 401), (wrong.status_int, unknown.status_int))
        details = [answer.json_body["errors"][0]["detail"] for answer in (wrong, unknown)]
        self.assertEqual(details[0], details[1])

    def test_guessing_is_slowed_down(self) -> None:
        allowed = self.api.conf.api.enrollment_failures_allowed
        self.assertEqual({401}, {self.enroll(secret="x").status_int for _ in range(allowed)})
        answer = self.enroll(secret="x")
        self.assertEqual(429, answer.status_int)
        self.assertEqual("60", answer.headers["Retry-After"])

    def test_a_deleted_node_cannot_enroll(self) -> None:
        self.api.request("DELETE", f"/v1/nodes/{self.node['id']}", "operator")
        self.assertEqual(401, self.enroll().status_int)

    def test_identity_headers_of_the_client_mean_nothing_on_a_public_path(self) -> None:
        answer = self.api.request(
            "POST", f"/v1/nodes/{self.node['id']}/enroll", None, {"secret": "x"}, X_Roles="admin", X_Project_Id="a"
        )
        self.assertEqual(400, answer.status_int)
