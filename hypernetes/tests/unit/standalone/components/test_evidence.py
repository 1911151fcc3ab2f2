# SPDX-License-Identifier: Apache-2.0
"""The evidence does not hold by accident: an empty or a shared machine fails it."""

import unittest

from hypernetes.standalone.components import evidence


def pod(user: str, name: str, *, address: str = "10.0.0.100", kernel: str = "6.1", boot: str = "") -> evidence.Pod:
    return evidence.Pod(user, name, address, kernel, boot or f"{user}-{name}")


PODS = [pod(user, name, address=address) for user in ("red", "blue") for name, address in (("one", "a"), ("two", "b"))]


class EvidenceTest(unittest.TestCase):
    def test_four_pods_with_another_kernel_hold(self) -> None:
        self.assertTrue(evidence.kernels(PODS, "6.18").holds)

    def test_the_hosts_kernel_in_one_pod_fails(self) -> None:
        self.assertFalse(evidence.kernels([*PODS[:3], pod("blue", "two", kernel="6.18")], "6.18").holds)

    def test_a_missing_pod_fails(self) -> None:
        self.assertFalse(evidence.kernels(PODS[:3], "6.18").holds)

    def test_two_pods_on_one_kernel_are_not_machines_of_their_own(self) -> None:
        shared = [pod("red", "one", boot="x"), pod("red", "two", boot="x")]
        self.assertFalse(evidence.own_machines(shared).holds)

    def test_different_addresses_are_not_the_same(self) -> None:
        self.assertTrue(evidence.equal_addresses(PODS).holds)
        self.assertFalse(evidence.equal_addresses([*PODS[:3], pod("blue", "two", address="c")]).holds)

    def test_the_table_marks_what_does_not_hold(self) -> None:
        text = evidence.render([evidence.Line("this", True, "x"), evidence.Line("that", False, "y")])
        self.assertIn("ok    this  x", text)
        self.assertIn("FAIL  that  y", text)
