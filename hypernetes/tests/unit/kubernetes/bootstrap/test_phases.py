# SPDX-License-Identifier: Apache-2.0
"""The table of phases."""

import testtools

from hypernetes.kubernetes.bootstrap import phases

KUBEADM_ORDER = [
    "preflight", "certs", "kubeconfig", "etcd", "control-plane", "kubelet-start", "wait-control-plane", "upload-config",
    "mark-control-plane", "kubelet-finalize",
]  # fmt: skip
"""Of ``kubeadm init`` v1.37, without upload-certs, bootstrap-token, addon and show-join-command."""


class PhasesTest(testtools.TestCase):
    """Order, names and remedies."""

    def test_kubeadm_s_phases_keep_kubeadm_s_order(self) -> None:
        called = [arguments[0] for phase in phases.PHASES for arguments in phase.kubeadm]
        self.assertEqual(KUBEADM_ORDER, called)

    def test_names_are_unique(self) -> None:
        names = [phase.name for phase in (*phases.PHASES, phases.RESET)]
        self.assertEqual(len(names), len(set(names)))

    def test_each_phase_says_what_to_do_when_it_fails(self) -> None:
        for phase in (*phases.PHASES, phases.RESET):
            self.assertTrue(phase.remedy.endswith("."), phase.name)

    def test_following_the_table_visits_each_phase_once_and_ends(self) -> None:
        visited, phase = [], phases.next_phase(None)
        while phase is not None:
            visited.append(phase)
            phase = phases.next_phase(phase.name)
        self.assertEqual(list(phases.PHASES), visited)

    def test_the_administrator_s_files_go_after_the_conductor_has_its_own(self) -> None:
        names = [phase.name for phase in phases.PHASES]
        self.assertLess(names.index("sign-client"), names.index("forget-admin"))

    def test_an_unknown_phase_is_an_error(self) -> None:
        self.assertRaises(KeyError, phases.get_phase, "no-such-phase")
