# SPDX-License-Identifier: Apache-2.0
"""Requests that schemathesis makes from the API's schemas; ``tools/bench fuzzed-api`` sends more, to a stack."""

import testtools

from hypernetes.tests.support import database
from hypernetes.tests.support import fuzzing
from hypernetes.tests.support import served_api


class FuzzingTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.served = self.useFixture(served_api.ServedApi())
        # Of the longest names, which answers have and made-up requests have not.
        self.stored = self.served.application.database
        self.namespace = database.namespace(self.stored, database.cluster(self.stored).id, "n" * 63)

    def _fuzz(self, persona: str, *, spares_existing: bool) -> None:
        found = fuzzing.fuzz(self.served.url, persona, examples=4, spares_existing=spares_existing)
        self.assertEqual("", found.failures)
        self.assertEqual([], [status for status in found.statuses if status >= 500 or status == 0])
        self.assertLess(found.slowest_seconds, fuzzing.LONGEST_SECONDS)
        # It has been asked good things as well as bad ones.
        self.assertGreater(found.requests, 100)
        self.assertLessEqual({200, 400}, set(found.statuses))

    def test_no_request_fails_the_api(self) -> None:
        self._fuzz("operator", spares_existing=False)

    def test_what_exists_in_a_stack_is_spared(self) -> None:
        self._fuzz("red_manager", spares_existing=True)
        self.assertEqual(self.namespace.status, self.stored.namespaces.get(self.namespace.id).status)
