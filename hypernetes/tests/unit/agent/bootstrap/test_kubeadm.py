# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.bootstrap.kubeadm."""

from hypernetes.agent import bootstrap
from hypernetes.agent import commands
from hypernetes.agent.bootstrap import catalog
from hypernetes.agent.bootstrap import kubeadm
from hypernetes.tests.support import agent_builders

INPUTS = {"kubeadm.yaml": "kind: InitConfiguration\n"}


class KubeadmTest(agent_builders.PhaseTest):
    def test_a_phase_is_run_with_the_configuration_of_the_order(self) -> None:
        catalog.PHASES["certs"](self.node, INPUTS)
        path = str(self.layout.kubeadm_configuration)
        self.assertEqual(
            [[str(self.layout.binaries / "kubeadm"), "init", "phase", "certs", "all", "--config", path]],
            self.programs.ran,
        )
        self.assertEqual(INPUTS["kubeadm.yaml"], self.layout.kubeadm_configuration.read_text())

    def test_without_a_configuration_nothing_is_run(self) -> None:
        self.assertRaises(bootstrap.NodePhaseFailed, catalog.PHASES["certs"], self.node, {})
        self.assertEqual([], self.programs.ran)

    def test_waiting_leaves_out_every_other_phase_because_alone_it_knows_no_configuration(self) -> None:
        words = kubeadm.arguments(("wait-control-plane",), "/k.yaml")
        self.assertEqual(["init", "--skip-phases", "--config", "/k.yaml"], words[:2] + words[3:])
        self.assertEqual(set(kubeadm.INIT_PHASES) - {"wait-control-plane"}, set(words[2].split(",")))

    def test_kubelet_is_started_once_it_is_configured_and_restarted_when_configured_again(self) -> None:
        catalog.PHASES["kubelet-start"](self.node, INPUTS)
        catalog.PHASES["kubelet-start"](self.node, INPUTS)
        self.assertEqual([("install", "kubelet"), ("install", "kubelet"), ("restart", "kubelet")], self.services.calls)

    def test_a_failure_tells_kubeadms_errors_and_nothing_around_them(self) -> None:
        self.programs.failures["preflight"] = commands.CommandFailed(
            "kubeadm",
            "ended with status 1",
            "noise\n\t[ERROR Swap]: swap is on\nerror: checks failed\nTo see the stack\n",
        )
        failure = self.assertRaises(bootstrap.NodePhaseFailed, catalog.PHASES["preflight"], self.node, INPUTS)
        self.assertEqual(
            "kubeadm preflight ended with status 1: [ERROR Swap]: swap is on error: checks failed", str(failure)
        )

    def test_a_control_plane_that_does_not_come_up_is_explained_by_the_apiservers_log(self) -> None:
        log = self.layout.pod_logs / "kube-system_kube-apiserver-node1_uid" / "kube-apiserver" / "0.log"
        log.parent.mkdir(parents=True)
        log.write_text("2026 stderr F first\n2026 stderr F unable to load root certificates\n")
        self.programs.failures["init"] = commands.CommandFailed("kubeadm", "ended with status 1", "error: in vain")
        failure = self.assertRaises(bootstrap.NodePhaseFailed, catalog.PHASES["wait-control-plane"], self.node, INPUTS)
        self.assertIn("error: in vain kube-apiserver's log ends with: unable to load root certificates", str(failure))
