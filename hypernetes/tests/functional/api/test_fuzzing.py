# SPDX-License-Identifier: Apache-2.0
"""Requests that schemathesis makes from the API's schemas; ``tools/bench fuzzed-api`` sends more, to a stack."""

import testtools

from hypernetes.tests.support import database
from hypernetes.tests.support import fuzzing
from hypernetes.tests.support import served_api

SECONDS = 6


class FuzzingTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.served = self.useFixture(served_api.ServedApi())
        # Of the longest names, which answers have and made-up requests have not.
        stored = self.served.application.database
        database.namespace(stored, database.cluster(stored).id, "n" * 63)

    def test_no_request_fails_the_api(self) -> None:
        for persona in ("operator", "red_member"):
            with self.subTest(persona=persona):
                found = fuzzing.fuzz(self.served.url, persona, examples=5, seconds=SECONDS)
                self.assertEqual("", found.failures)
                self.assertEqual([], [status for status in found.statuses if status >= 500 or status == 0])
                self.assertLess(found.slowest_seconds, fuzzing.LONGEST_SECONDS)
                # It has been asked good things as well as bad ones.
                self.assertGreater(found.requests, 100)
                self.assertLessEqual({200, 400}, set(found.statuses))
