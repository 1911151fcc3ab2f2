# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.enrollment."""

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

import fixtures
import requests
import testtools

from hypernetes.agent import enrollment
from hypernetes.tests.support import agent_builders

ANSWER = {"node": "node1", "transport_url": "rabbit://node1:{password}@bus.test:5671/", "exchange": "e", "topic": "t"}


def _response(status: int, body: Any) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = json.dumps(body).encode()
    return response


class EnrollmentTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.FakeLogger())
        self.directory = Path(self.useFixture(fixtures.TempDir()).path)
        self.conf = agent_builders.configuration(self.directory)
        self.secret_file = Path(self.conf.agent.enrollment_secret_file)
        self.secret_file.write_text("one-time\n")
        self.answers: list[Any] = []
        self.posts: list[tuple[str, Any]] = []
        self.useFixture(fixtures.MockPatchObject(requests.Session, "post", self._post))

    def _post(self, url: str, **options: Any) -> requests.Response:
        # What is presented must be on disk already: the machine may die before the answer.
        written = json.loads((self.directory / "credentials.json").read_text())
        digest = hashlib.sha256(written["token"].encode()).hexdigest()
        self.assertEqual(
            {"secret": "one-time", "token_hash": digest, "amqp_password": written["amqp_password"]}, options["json"]
        )
        self.assertFalse(options["allow_redirects"])
        self.posts.append((url, options["json"]))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, requests.Response)
        return answer

    def _enroll(self) -> Any:
        return enrollment.enroll(self.conf, self.directory, threading.Event())

    def test_the_secret_becomes_the_nodes_own_credentials(self) -> None:
        self.answers = [_response(200, ANSWER)]
        enrolled = self._enroll()
        self.assertEqual("https://api.test:9518/v1/nodes/node-id/enroll", self.posts[0][0])
        self.assertEqual(("node-id", "node1"), (enrolled.node_id, enrolled.node_name))
        self.assertIn("{password}", enrolled.transport_url)

    def test_the_credentials_are_for_root_only_and_the_secret_is_gone(self) -> None:
        self.answers = [_response(200, ANSWER)]
        self._enroll()
        self.assertEqual(0o600, (self.directory / "credentials.json").stat().st_mode & 0o777)
        self.assertFalse(self.secret_file.exists())

    def test_an_enrolled_node_asks_nobody_again(self) -> None:
        self.answers = [_response(200, ANSWER)]
        self.assertEqual(self._enroll(), self._enroll())
        self.assertEqual(1, len(self.posts))

    def test_an_enrollment_that_was_cut_off_repeats_the_same_choices(self) -> None:
        self.answers = [requests.ConnectionError("cut"), _response(503, {}), _response(200, ANSWER)]
        self._enroll()
        self.assertEqual(1, len({json.dumps(body, sort_keys=True) for _, body in self.posts}))
        self.assertEqual(3, len(self.posts))

    def test_another_record_gets_other_choices(self) -> None:
        self.answers = [_response(200, ANSWER), _response(200, ANSWER)]
        first = self._enroll()
        self.conf.set_override("node_id", "another-id", group="agent")
        self.secret_file.write_text("one-time")
        second = self._enroll()
        self.assertNotEqual(first.token, second.token)
        self.assertNotEqual(first.amqp_password, second.amqp_password)

    def _refusal(self, *answers: Any) -> str:
        self.answers = list(answers)
        choice = enrollment.choose(self.directory / "credentials.json", "node-id")
        return str(self.assertRaises(enrollment.EnrollmentFailed, enrollment.present, self.conf, choice, "one-time"))

    def test_a_refused_secret_is_told_with_what_to_do(self) -> None:
        self.assertIn("create it again", self._refusal(_response(401, {})))

    def test_the_record_of_another_node_is_refused(self) -> None:
        self.assertIn("[node] name is node1", self._refusal(_response(200, ANSWER | {"node": "node2"})))

    def test_the_apis_own_words_are_told(self) -> None:
        error = {"errors": [{"detail": "The message bus does not answer."}]}
        self.assertIn("503: The message bus does not answer.", self._refusal(_response(503, error)))

    def test_an_answer_of_something_else_is_refused(self) -> None:
        bodies: list[Any] = [[], {}, "x"]
        for body in bodies:
            self.assertIn("not that of an enrollment", self._refusal(_response(200, body)))

    def test_no_failure_shows_a_secret(self) -> None:
        text = self._refusal(requests.ConnectionError("cut"))
        written = json.loads((self.directory / "credentials.json").read_text())
        for secret in ("one-time", written["token"], written["amqp_password"]):
            self.assertNotIn(secret, text)
        self.assertNotIn(written["token"], repr(enrollment.choose(self.directory / "credentials.json", "node-id")))

    def test_a_stop_ends_the_tries(self) -> None:
        stop = threading.Event()
        stop.set()
        self.answers = [_response(401, {})]
        self.assertRaises(enrollment.Stopped, enrollment.enroll, self.conf, self.directory, stop)
