# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.bootstrap.catalog."""

import testtools

from hypernetes.agent.bootstrap import catalog
from hypernetes.agent.bootstrap import kubeadm
from hypernetes.kubernetes.bootstrap import phases

FORMER_RENEWAL = "renew"
"""What conductors of an earlier release order."""


class CatalogTest(testtools.TestCase):
    def test_every_phase_a_node_may_be_ordered_to_carry_out_has_its_function(self) -> None:
        wanted = {phase.name for phase in phases.PHASES if phase.where is phases.Where.NODE}
        wanted |= {phases.RESET.name, phases.RENEW.name, phases.PREPARE_WORKER.name, phases.JOIN.name}
        self.assertEqual(wanted | {FORMER_RENEWAL}, set(catalog.PHASES))

    def test_an_earlier_agent_refuses_a_renewal_whose_files_it_would_not_write(self) -> None:
        self.assertNotEqual(FORMER_RENEWAL, phases.RENEW.name)

    def test_every_call_of_kubeadm_is_one_of_its_phases(self) -> None:
        calls = {call[0] for phase in phases.PHASES for call in phase.kubeadm}
        self.assertEqual(set(), calls - set(kubeadm.INIT_PHASES))
