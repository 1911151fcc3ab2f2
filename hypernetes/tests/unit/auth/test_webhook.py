# SPDX-License-Identifier: Apache-2.0
"""The webhook with a Keystone that is a dictionary."""

import datetime
import io
import json
import logging
from typing import Any

import fixtures
import testtools

from hypernetes.auth import answers
from hypernetes.auth import cache
from hypernetes.auth import review
from hypernetes.auth import validator
from hypernetes.auth import webhook
from hypernetes.auth import write_pace
from hypernetes.tests.support import tokens

AUDIENCE = "https://kubernetes.default.svc.cluster.local"
PATH = f"/v1/clusters/{tokens.CLUSTER}/tokenreview"


class Keystone:
    """Knows some tokens, counts questions, may be away."""

    def __init__(self, **known: dict[str, Any]) -> None:
        self.known = known
        self.asked = 0
        self.away = False

    def validate(self, token: str) -> dict[str, Any] | None:
        self.asked += 1
        if self.away:
            raise validator.KeystoneUnavailable("away")
        return self.known.get(token)


class WebhookTest(testtools.TestCase):
    """Questions and answers."""

    def setUp(self) -> None:
        super().setUp()
        self.keystone = Keystone(good=tokens.project_token("member"))
        self.now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
        self.webhook = self._webhook()

    def _webhook(self, **settings: Any) -> webhook.Webhook:
        chosen = answers.Settings(audiences=(AUDIENCE,), **settings)
        return webhook.Webhook(self.keystone, chosen, lambda: self.now)

    def _send(self, body: bytes, path: str = PATH, method: str = "POST", length: str | None = None) -> tuple[int, Any]:
        statuses: list[str] = []
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "CONTENT_LENGTH": str(len(body)) if length is None else length,
            "wsgi.input": io.BytesIO(body),
        }
        answer = b"".join(self.webhook(environ, lambda status, headers: statuses.append(status)))
        return int(statuses[0].split()[0]), json.loads(answer)

    def _ask(self, token: str, path: str = PATH, **spec: Any) -> tuple[int, Any]:
        question = {"apiVersion": review.API_VERSION, "kind": review.KIND, "spec": {"token": token, **spec}}
        return self._send(json.dumps(question).encode(), path)

    def test_a_good_token_names_its_user(self) -> None:
        status, answer = self._ask("good", audiences=[AUDIENCE, "other"])
        self.assertEqual((200, "TokenReview"), (status, answer["kind"]))
        self.assertTrue(answer["status"]["authenticated"])
        self.assertEqual("keystone:u1", answer["status"]["user"]["username"])
        self.assertEqual([AUDIENCE], answer["status"]["audiences"])

    def test_a_write_is_answered_at_a_path_of_its_own(self) -> None:
        path = f"/v1/clusters/{tokens.CLUSTER}/write-pace"
        question = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u"}}
        status, answer = self._send(json.dumps(question).encode(), path)
        self.assertEqual((200, {"uid": "u", "allowed": True}), (status, answer["response"]))
        self.assertEqual(400, self._send(b"{}", path)[0])
        self.assertEqual(400, self._send(json.dumps(question).encode())[0])
        self.assertEqual(413, self._send(b"", path, length=str(write_pace.MAX_BODY + 1))[0])
        self.assertEqual(405, self._send(b"", path, method="GET")[0])

    def test_an_unknown_token_is_an_answer_too(self) -> None:
        status, answer = self._ask("garbage")
        self.assertEqual((200, False), (status, answer["status"]["authenticated"]))
        self.assertNotIn("user", answer["status"])

    def test_a_token_for_somebody_else_is_refused_without_asking(self) -> None:
        _, answer = self._ask("good", audiences=["https://elsewhere.example"])
        self.assertFalse(answer["status"]["authenticated"])
        self.assertEqual(0, self.keystone.asked)

    def test_text_that_cannot_be_a_token_never_reaches_keystone(self) -> None:
        for token in ("a b", "a\r\nX-Auth-Token: b", "é", "x" * (review.MAX_TOKEN + 1)):
            _, answer = self._ask(token)
            self.assertFalse(answer["status"]["authenticated"])
        self.assertEqual(0, self.keystone.asked)

    def test_keystone_away_is_no_verdict(self) -> None:
        self.keystone.away = True
        status, _ = self._ask("good")
        self.assertEqual(503, status)
        self.keystone.away = False
        status, answer = self._ask("good")
        self.assertTrue(answer["status"]["authenticated"])

    def test_an_answer_is_remembered_for_its_cluster_only(self) -> None:
        self._ask("good")
        self._ask("good")
        self.assertEqual(1, self.keystone.asked)
        self._ask("good", path=PATH.replace(tokens.CLUSTER, tokens.OTHER_CLUSTER))
        self.assertEqual(2, self.keystone.asked)

    def test_a_refusal_is_remembered_too(self) -> None:
        self._ask("garbage")
        self._ask("garbage")
        self.assertEqual(1, self.keystone.asked)

    def test_a_token_that_expires_meanwhile_is_refused(self) -> None:
        self.keystone.known["good"]["expires_at"] = "2026-01-01T00:00:05Z"
        self.assertTrue(self._ask("good")[1]["status"]["authenticated"])
        self.now += datetime.timedelta(seconds=5)
        self.assertFalse(self._ask("good")[1]["status"]["authenticated"])

    def test_an_answer_of_another_form_is_no_verdict(self) -> None:
        del self.keystone.known["good"]["user"]
        self.assertEqual(503, self._ask("good")[0])

    def test_what_is_no_question_is_told_so(self) -> None:
        for body, length, wanted in (
            (b"{", None, 400),
            (b"[]", None, 400),
            (b'{"apiVersion": "v1", "kind": "Pod"}', None, 400),
            (b"[" * 50000, None, 400),
            (b"", "", 411),
            (b"", "-1", 413),
            (b"", str(review.MAX_BODY + 1), 413),
        ):
            self.assertEqual(wanted, self._send(body, length=length)[0], str(body[:20]))

    def test_a_question_needs_a_token_and_a_short_list(self) -> None:
        for spec in (None, {}, {"token": 1}, {"token": "a", "audiences": "x"}, {"token": "a", "audiences": [1]}):
            body = {"apiVersion": review.API_VERSION, "kind": review.KIND, "spec": spec}
            self.assertEqual(400, self._send(json.dumps(body).encode())[0], str(spec))
        self.assertEqual(400, self._ask("a", audiences=["x"] * (review.MAX_AUDIENCES + 1))[0])

    def test_other_places_and_methods(self) -> None:
        self.assertEqual(404, self._send(b"", path="/v1/clusters/demo/tokenreview")[0])
        self.assertEqual(404, self._send(b"", path="/")[0])
        self.assertEqual(405, self._send(b"", method="GET")[0])
        self.assertEqual(200, self._send(b"", path="/healthcheck", method="GET")[0])

    def test_tokens_are_neither_logged_nor_kept(self) -> None:
        logged = self.useFixture(fixtures.FakeLogger(level=logging.DEBUG))
        self.keystone.known["planted-token"] = tokens.project_token("member", project=None)
        self._ask("planted-token")
        self.keystone.away = True
        self._ask("planted-token-2")
        self._send(b'{"token": "planted-token-3"')
        self.assertIn("refused", logged.output)
        self.assertNotIn("planted-token", logged.output)
        memory = self.webhook._answers
        self.assertNotIn("planted-token", repr((memory._valid._entries, memory._refusals._entries)))
        self.assertNotIn("planted-token", repr(review.TokenReviewRequest("planted-token", ())))


class CacheTest(testtools.TestCase):
    """Bounded in time and number."""

    def setUp(self) -> None:
        super().setUp()
        self.time = 0.0
        self.cache: cache.Cache[str] = cache.Cache(2, lambda: self.time)

    def test_an_entry_ends(self) -> None:
        self.cache.put("a", "1", 10)
        self.time = 9.9
        self.assertEqual("1", self.cache.get("a"))
        self.time = 10.0
        self.assertIsNone(self.cache.get("a"))
        self.assertEqual(0, len(self.cache))

    def test_the_oldest_goes_first(self) -> None:
        for key in ("a", "b", "c"):
            self.cache.put(key, key, 10)
        self.assertEqual([None, "b", "c"], [self.cache.get(key) for key in ("a", "b", "c")])

    def test_no_time_is_no_entry(self) -> None:
        self.cache.put("a", "1", 0)
        self.assertIsNone(self.cache.get("a"))
