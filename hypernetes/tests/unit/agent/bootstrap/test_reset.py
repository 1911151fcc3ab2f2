# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.bootstrap.reset."""

from hypernetes.agent.bootstrap import kubeadm
from hypernetes.agent.bootstrap import reset
from hypernetes.agent.host import cni
from hypernetes.tests.support import agent_builders


class ResetTest(agent_builders.PhaseTest):
    def setUp(self) -> None:
        super().setUp()
        for directory in (self.layout.kubernetes / "pki", self.layout.etcd / "member", self.layout.containerd_run):
            directory.mkdir(parents=True)
        (self.layout.kubernetes / "pki" / "ca.key").touch()

    def test_pods_are_ended_while_containerd_runs_and_kubelet_does_not(self) -> None:
        self.layout.containerd_socket.touch()
        reset.run(self.node, {})
        self.assertEqual(
            [("remove", "kubelet"), ("remove", "containerd"), ("remove", "hypernetes-templates")], self.services.calls
        )
        self.assertEqual("reset", self.programs.ran[0][1])

    def test_nothing_of_the_cluster_is_left_and_a_repetition_is_harmless(self) -> None:
        cni.install(self.layout, 180)
        kubeadm.start_kubelet(self.node)
        self.services.calls.clear()
        for _ in range(2):
            reset.run(self.node, {})
        self.assertEqual([], list(self.layout.cni_configuration.iterdir()))
        self.assertFalse(self.layout.kubelet_script.exists())
        self.assertEqual([], [*self.layout.kubernetes.iterdir(), *self.layout.etcd.iterdir()])
        self.assertEqual([], self.programs.ran)
