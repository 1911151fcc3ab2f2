# SPDX-License-Identifier: Apache-2.0
"""Requests that no ordinary client makes: each is answered with 4xx, and harms no other request."""

import json
import logging
import uuid
from typing import Any

import fixtures
import testtools
from oslo_context import context

from hypernetes.tests.support import application

HALF_A_PAIR = "\ud800"
ENROLLMENT = {"secret": "s", "token_hash": "0" * 64, "amqp_password": "p" * 32}
NOWHERE = uuid.UUID(int=0)
ENROLL = f"/v1/nodes/{NOWHERE}/enroll"


class HostileRequestsTest(testtools.TestCase):
    """What is sent to the API by those who mean it no good."""

    def setUp(self) -> None:
        super().setUp()
        self.api = self.useFixture(application.Application())

    def test_half_a_surrogate_pair_is_400_wherever_it_is(self) -> None:
        namespace = {"name": "web", "cluster": "demo"}
        requests: tuple[tuple[str, str | None, dict[str, Any]], ...] = (
            (ENROLL, None, ENROLLMENT | {"secret": HALF_A_PAIR}),
            (ENROLL, None, ENROLLMENT | {HALF_A_PAIR: ""}),
            ("/v1/namespaces", "red_member", namespace | {"cluster": HALF_A_PAIR}),
            ("/v1/namespaces", "red_member", namespace | {"name": HALF_A_PAIR}),
            ("/v1/clusters", "operator", {"name": "demo", "control_nodes": [HALF_A_PAIR]}),
            ("/v1/nodes", "operator", {"name": HALF_A_PAIR}),
        )
        for path, persona, body in requests:
            answer = self.api.request("POST", path, persona, json.dumps(body).encode())
            self.assertEqual(400, answer.status_int, f"{path} {body}")

    def test_a_whole_surrogate_pair_is_a_character(self) -> None:
        body = json.dumps({"name": "web", "cluster": "\U0001f600"}).encode()
        answer = self.api.request("POST", "/v1/namespaces", "red_member", body)
        self.assertIn("there is no cluster \U0001f600", answer.json_body["errors"][0]["detail"])

    def test_a_malformed_form_is_415_wherever_it_is_sent(self) -> None:
        for method, path in (("POST", ENROLL), ("POST", "/v1/namespaces"), ("DELETE", f"/v1/namespaces/{NOWHERE}")):
            answer = self.api.request(method, path, "red_member", b"", Content_Type="multipart/form-data")
            self.assertEqual(415, answer.status_int, path)

    def test_a_log_line_carries_no_other_request_s_identity(self) -> None:
        self.addCleanup(context._request_store.__dict__.clear)
        self.api.request("GET", "/v1/namespaces", "red_member")
        logged = _Contexts()
        logger = logging.getLogger("hypernetes.api")
        logger.addHandler(logged)
        self.addCleanup(logger.removeHandler, logged)
        self.useFixture(fixtures.MockPatchObject(self.api.conductor, "enroll_node", side_effect=RuntimeError))
        self.useFixture(fixtures.MockPatch("hypernetes.api.v1.nodes._verified"))
        answer = self.api.request("POST", ENROLL, None, ENROLLMENT)
        self.assertEqual(500, answer.status_int)
        (logged_with,) = logged.seen
        self.assertEqual(answer.headers["x-openstack-request-id"], logged_with.request_id)
        self.assertEqual((None, None), (logged_with.user_id, logged_with.project_id))


class _Contexts(logging.Handler):
    """Collects what oslo.log would write about the caller into each line."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(context.get_current())
