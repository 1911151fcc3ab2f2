# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.ports.released."""

import testtools

from hypernetes.agent.ports import released


class ReleasedSandboxesTest(testtools.TestCase):
    def test_the_oldest_sandboxes_are_forgotten_first(self) -> None:
        sandboxes = released.ReleasedSandboxes(limit=2)
        for name in ("a", "b", "a", "c"):
            sandboxes.add(name)
        self.assertEqual([True, False, True], [name in sandboxes for name in "abc"])

    def test_a_discarded_sandbox_is_forgotten(self) -> None:
        sandboxes = released.ReleasedSandboxes()
        sandboxes.add("a")
        sandboxes.discard("a")
        sandboxes.discard("b")
        self.assertNotIn("a", sandboxes)
