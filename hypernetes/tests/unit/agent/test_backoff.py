# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.backoff."""

import threading

import tenacity
import testtools

from hypernetes.agent import backoff


class BackoffTest(testtools.TestCase):
    def test_pauses_grow_to_the_limit_and_at_most_half_of_each_is_random(self) -> None:
        pauses = backoff.pauses(1.0, 4.0)
        for attempt, highest in enumerate((1.0, 2.0, 4.0, 4.0), start=1):
            state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
            state.attempt_number = attempt
            found = {pauses(state) for _ in range(50)}
            self.assertTrue(highest / 2 <= min(found) <= max(found) <= highest, found)
            self.assertGreater(len(found), 1)

    def test_a_stop_ends_the_attempts_at_once(self) -> None:
        stop = threading.Event()

        def fail() -> None:
            stop.set()
            raise OSError("away")

        self.assertRaises(tenacity.RetryError, backoff.until_stopped(stop, 60.0, 60.0), fail)
