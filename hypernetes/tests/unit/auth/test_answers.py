# SPDX-License-Identifier: Apache-2.0
"""The two lanes and the memory in front of Keystone."""

import threading
from concurrent import futures
from typing import Any

import testtools

from hypernetes.auth import answers
from hypernetes.auth import identity
from hypernetes.auth import validator
from hypernetes.model import ids
from hypernetes.tests.support import tokens

DEADLINE = 20.0
CLUSTER = ids.ClusterId(tokens.CLUSTER)


class Keystone:
    """Knows the token ``good``; holds every question until ``proceed`` is set, and may be away."""

    def __init__(self) -> None:
        self.proceed = threading.Event()
        self.proceed.set()
        self.answered = threading.Semaphore(0)
        self.asked: list[str] = []
        self.away = False
        self.good: dict[str, Any] | None = tokens.project_token("member")

    def validate(self, token: str) -> dict[str, Any] | None:
        self.asked.append(token)
        try:
            self.proceed.wait(DEADLINE)
            if self.away:
                raise validator.KeystoneUnavailable("away")
            return self.good if token.startswith("good") else None
        finally:
            self.answered.release()


class AnswersTest(testtools.TestCase):
    """Which answer comes from where."""

    def setUp(self) -> None:
        super().setUp()
        self.time = 0.0
        self.keystone = Keystone()
        self.addCleanup(self.keystone.proceed.set)
        self.pool = futures.ThreadPoolExecutor(16)
        self.addCleanup(self.pool.shutdown)

    def _answers(self, **settings: Any) -> answers.Answers:
        return answers.Answers(self.keystone, answers.Settings(audiences=(), **settings), lambda: self.time)

    def _name(self, asked: answers.Answers, token: str) -> str:
        answer = asked.user(token, CLUSTER)
        return answer.name if isinstance(answer, identity.User) else answer

    def _hold(self, asked: answers.Answers, *forged: str) -> list["futures.Future[str]"]:
        """Have Keystone hold questions for these tokens."""
        self.keystone.proceed.clear()
        before = len(self.keystone.asked)
        held = [self.pool.submit(self._name, asked, token) for token in forged]
        while len(self.keystone.asked) < before + len(forged):
            threading.Event().wait(0.01)
        return held

    def test_unknown_tokens_beyond_the_bound_are_refused_at_once(self) -> None:
        asked = self._answers(unknown_validations=2, unknown_waiting=0)
        held = self._hold(asked, "forged-1", "forged-2")
        self.assertRaises(answers.NoAnswer, asked.user, "forged-3", CLUSTER)
        self.keystone.proceed.set()
        self.assertEqual([answers.INVALID] * 2, [future.result(DEADLINE) for future in held])
        self.assertEqual(answers.INVALID, self._name(asked, "forged-4"))

    def test_a_first_token_waits_for_those_that_came_before_it(self) -> None:
        asked = self._answers(unknown_validations=1, unknown_waiting=1)
        held = self._hold(asked, "forged-1")
        first = self.pool.submit(self._name, asked, "good")
        self.assertRaises(futures.TimeoutError, first.result, 0.2)
        self.assertRaises(answers.NoAnswer, asked.user, "forged-2", CLUSTER)
        self.keystone.proceed.set()
        self.assertEqual("keystone:u1", first.result(DEADLINE))
        self.assertEqual(answers.INVALID, held[0].result(DEADLINE))

    def test_a_known_token_is_validated_while_unknown_ones_hold_all_their_workers(self) -> None:
        asked = self._answers(unknown_validations=1)
        self._name(asked, "good")
        self._hold(asked, "forged")
        self.time = answers.MAX_STALE_SECONDS + 1.0
        known = self.pool.submit(self._name, asked, "good")
        while self.keystone.asked[-1] != "good":
            threading.Event().wait(0.01)
        self.keystone.proceed.set()
        self.assertEqual("keystone:u1", known.result(DEADLINE))

    def test_refusals_displace_no_valid_token(self) -> None:
        asked = self._answers(cache_size=1, refusal_cache_size=1)
        self._name(asked, "good")
        for number in range(5):
            self._name(asked, f"forged-{number}")
        self._name(asked, "good")
        self.assertEqual(1, self.keystone.asked.count("good"))

    def test_one_token_is_validated_once_for_all_who_ask(self) -> None:
        asked = self._answers()
        held = self._hold(asked, "good")
        more = [self.pool.submit(self._name, asked, "good") for _ in range(5)]
        self.keystone.proceed.set()
        self.assertEqual({"keystone:u1"}, {future.result(DEADLINE) for future in held + more})
        self.assertEqual(["good"], self.keystone.asked)

    def test_a_known_token_is_answered_from_memory_while_keystone_is_away(self) -> None:
        asked = self._answers()
        self._name(asked, "good")
        self.keystone.away = True
        self.time = answers.MAX_STALE_SECONDS - 0.1
        self.assertEqual("keystone:u1", self._name(asked, "good"))
        self.time = float(answers.MAX_STALE_SECONDS)
        self.assertRaises(answers.NoAnswer, asked.user, "good", CLUSTER)
        self.keystone.away = False
        self.assertEqual("keystone:u1", self._name(asked, "good"))

    def test_a_known_token_is_answered_from_memory_while_keystone_is_slow(self) -> None:
        asked = self._answers()
        self._name(asked, "good")
        self.keystone.answered.acquire()
        self.time = 30.0
        self.keystone.proceed.clear()
        self.assertEqual("keystone:u1", self._name(asked, "good"))
        self.keystone.good = None
        self.keystone.proceed.set()
        # What Keystone said in the end counts from then on.
        self.assertTrue(self.keystone.answered.acquire(timeout=DEADLINE))
        self.assertEqual(answers.INVALID, self._name(asked, "good"))

    def test_a_refusal_of_keystone_is_never_answered_from_memory(self) -> None:
        asked = self._answers()
        self._name(asked, "good")
        self.keystone.good = None
        self.time = 15.0
        self.assertEqual(answers.INVALID, self._name(asked, "good"))
        self.keystone.away = True
        self.time = 25.0
        self.assertRaises(answers.NoAnswer, asked.user, "good", CLUSTER)
