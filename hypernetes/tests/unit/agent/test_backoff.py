# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.backoff."""

import testtools

from hypernetes.agent import backoff


class BackoffTest(testtools.TestCase):
    def test_pauses_grow_to_the_limit_and_differ(self) -> None:
        pauses = backoff.Backoff(1.0, 4.0)
        for highest in (1.0, 2.0, 4.0, 4.0):
            pause = pauses.next()
            self.assertTrue(highest / 2 <= pause <= highest, pause)

    def test_a_success_begins_anew(self) -> None:
        pauses = backoff.Backoff(1.0, 64.0)
        for _ in range(5):
            pauses.next()
        pauses.reset()
        self.assertLessEqual(pauses.next(), 1.0)
