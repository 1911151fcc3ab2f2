# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.bootstrap.prepare_worker and join."""

import json
from unittest import mock

import yaml
from cryptography import x509

from hypernetes.agent import bootstrap
from hypernetes.agent import commands
from hypernetes.agent.bootstrap import join
from hypernetes.agent.bootstrap import prepare
from hypernetes.agent.bootstrap import prepare_worker
from hypernetes.agent.bootstrap import reset
from hypernetes.kubernetes import node_certificates
from hypernetes.kubernetes.bootstrap import join as configurations
from hypernetes.tests.support import agent_builders

CONFIGURATION = configurations.configuration(
    configurations.WorkerSpec("node1", "192.0.2.1", "/hypernetes/node1", ("Swap",))
)


class WorkerTest(agent_builders.PhaseTest):
    def setUp(self) -> None:
        super().setUp()
        self.inputs = {
            "kubeadm.yaml": CONFIGURATION,
            "api_server": "https://demo.hypernetes.internal:6443",
            "ca_certificate": "the CA",
            "node.crt": "the certificate",
        }

    def prepare(self) -> bootstrap.Outputs:
        with mock.patch.object(prepare, "start_containerd"), mock.patch("hypernetes.agent.host.cgroups.create"):
            return prepare_worker.run(
                self.node,
                {
                    "kubeadm.yaml": CONFIGURATION,
                    "api_host": "demo.hypernetes.internal",
                    "api_host_address": "192.0.2.9",
                },
            )

    def calls(self) -> list[list[str]]:
        return [words[1:4] for words in self.programs.ran if words[1] == "join"]


class PrepareWorkerTest(WorkerTest):
    def test_the_request_is_for_this_node_and_the_key_stays(self) -> None:
        pem = self.prepare()["node.csr"]
        self.assertIsNone(node_certificates.refusal(pem, "node1"))
        self.assertIsNotNone(node_certificates.refusal(pem, "node2"))
        self.assertEqual(0o600, self.layout.kubelet_key.stat().st_mode & 0o777)
        key = x509.load_pem_x509_csr(pem.encode()).public_key()
        again = x509.load_pem_x509_csr(self.prepare()["node.csr"].encode()).public_key()
        self.assertEqual(key, again)

    def test_the_node_finds_the_apiserver_by_its_name(self) -> None:
        self.layout.hosts.write_text("127.0.0.1 localhost\n")
        for _ in range(2):
            self.prepare()
        wanted = "127.0.0.1 localhost\n192.0.2.9 demo.hypernetes.internal # hypernetes-agent\n"
        self.assertEqual(wanted, self.layout.hosts.read_text())
        reset.run(self.node, {})
        self.assertEqual("127.0.0.1 localhost\n", self.layout.hosts.read_text())

    def test_a_line_of_the_hosts_file_cannot_be_chosen_by_the_order(self) -> None:
        self.layout.hosts.write_text("127.0.0.1 localhost\n")
        for name, address in (("evil\n192.0.2.66 api", "192.0.2.9"), ("api.test", "192.0.2.9 x\n192.0.2.66")):
            inputs = {"api_host": name, "api_host_address": address}
            self.assertRaises(bootstrap.NodePhaseFailed, prepare.ensure_api_host, self.node, inputs)
        self.assertEqual("127.0.0.1 localhost\n", self.layout.hosts.read_text())


class JoinTest(WorkerTest):
    def setUp(self) -> None:
        super().setUp()
        self.prepare()

    def test_kubeadm_s_phases_run_with_the_kubelet_s_own_certificate(self) -> None:
        join.run(self.node, self.inputs)
        self.assertEqual([["join", "phase", "preflight"], ["join", "phase", "kubelet-start"]], self.calls())
        written = yaml.safe_load((self.layout.cluster_files / "kubeadm-join.yaml").read_text())
        self.assertEqual("node1", written["nodeRegistration"]["name"])
        self.assertEqual([], written["nodeRegistration"]["taints"])
        patch = json.loads((self.layout.patches / "kubeletconfiguration+strategic.json").read_text())
        self.assertEqual({"cgroupRoot": "/hypernetes/node1"}, patch)
        current = self.layout.kubelet_client
        self.assertTrue(current.is_symlink())
        self.assertIn("the certificate\n-----BEGIN PRIVATE KEY-----", current.read_text())
        config = json.loads((self.layout.kubernetes / "kubelet.conf").read_text())
        self.assertEqual("https://demo.hypernetes.internal:6443", config["clusters"][0]["cluster"]["server"])
        self.assertEqual(str(current), config["users"][0]["user"]["client-key"])
        self.assertIn(("install", "kubelet"), self.services.calls)

    def test_no_key_and_no_certificate_is_in_a_command(self) -> None:
        join.run(self.node, self.inputs)
        self.assertNotIn("the certificate", str(self.programs.ran))
        self.assertNotIn("PRIVATE", str(self.programs.ran))

    def test_what_kubeadm_has_done_is_not_done_again(self) -> None:
        join.run(self.node, self.inputs)
        self.programs.ran.clear()
        join.run(self.node, self.inputs)
        self.assertEqual([], self.calls())

    def test_a_run_that_was_killed_is_repeated_whole(self) -> None:
        self.programs.failures["kubelet-start"] = commands.CommandFailed("kubeadm", "was killed", "")
        self.assertRaises(bootstrap.NodePhaseFailed, join.run, self.node, self.inputs)
        for name in ("bootstrap-kubelet.conf", "kubelet.conf"):
            (self.layout.kubernetes / name).write_text("left over")
        self.programs.failures.clear()
        self.programs.ran.clear()
        join.run(self.node, self.inputs)
        self.assertEqual(2, len(self.calls()))
        self.assertFalse((self.layout.kubernetes / "bootstrap-kubelet.conf").exists())

    def test_an_order_without_the_certificate_is_refused(self) -> None:
        del self.inputs["node.crt"]
        self.assertRaises(bootstrap.NodePhaseFailed, join.run, self.node, self.inputs)

    def test_a_control_node_s_configuration_is_refused(self) -> None:
        self.inputs["kubeadm.yaml"] = "kind: InitConfiguration\n"
        self.assertRaises(bootstrap.NodePhaseFailed, join.run, self.node, self.inputs)
