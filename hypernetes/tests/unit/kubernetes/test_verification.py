# SPDX-License-Identifier: Apache-2.0
"""When a cluster counts as closed."""

from typing import Any
from unittest import mock

import testtools

from hypernetes.kubernetes import client
from hypernetes.kubernetes import verification

OURS = "denied request: hypernetes/host-namespaces: hostNetwork is not allowed"


class VerificationTest(testtools.TestCase):
    """By the two answers of a dry run."""

    def _in_force(self, in_host_network: str | None, ordinary: str | None) -> bool:
        def refusal(pod: Any) -> str | None:
            return in_host_network if pod.spec.hostNetwork else ordinary

        return verification.policies_are_in_force(mock.Mock(spec=client.ClusterClient, dry_run_create=refusal))

    def test_the_host_s_network_refused_and_the_ordinary_not(self) -> None:
        self.assertTrue(self._in_force(OURS, None))

    def test_a_policy_that_is_not_in_force_yet(self) -> None:
        self.assertFalse(self._in_force(None, None))

    def test_a_refusal_for_another_reason_proves_nothing(self) -> None:
        self.assertFalse(self._in_force("serviceaccount default not found", None))

    def test_a_cluster_that_refuses_everything_is_not_ready(self) -> None:
        self.assertFalse(self._in_force(OURS, "hypernetes/runtime-class: no"))
