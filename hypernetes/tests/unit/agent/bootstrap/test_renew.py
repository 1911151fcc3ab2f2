# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.bootstrap.renew; that kubeadm takes what is made here, the functional tests try."""

import json
from collections.abc import Iterator
from unittest import mock

import yaml

from hypernetes.agent import bootstrap
from hypernetes.agent import commands
from hypernetes.agent.bootstrap import renew
from hypernetes.agent.bootstrap import sign_client
from hypernetes.kubernetes.bootstrap import kubeadm
from hypernetes.tests.support import agent_builders
from hypernetes.tests.support import kubernetes_builders


class RenewTest(agent_builders.PhaseTest):
    def setUp(self) -> None:
        super().setUp()
        self.inputs = {"kubeadm.yaml": kubeadm.configuration(kubernetes_builders.cluster_spec()), "client.csr": "x"}

    def answers(self) -> Iterator[bool]:
        """The apiserver is there at the second look, and kubelet is not restarted before."""
        yield False
        # A kubelet that is restarted before could not start etcd again.
        self.assertNotIn(("install", "kubelet"), self.services.calls[self.known :])
        yield True

    def renew(self) -> None:
        self.known = len(self.services.calls)
        with (
            mock.patch.object(sign_client, "run", return_value={"client_certificate": "new"}),
            mock.patch.object(renew, "is_renewed", side_effect=self.answers()) as asked,
        ):
            self.assertEqual({"client_certificate": "new"}, renew.run(self.node, self.inputs))
        self.assertEqual(2, asked.call_count)

    def test_the_files_are_renewed_before_what_reads_them_is_replaced(self) -> None:
        self.renew()
        words = [" ".join(ran[1:4]) for ran in self.programs.ran]
        self.assertEqual(
            ["certs renew all", "init phase etcd", "init phase control-plane", "init phase kubelet-start"], words
        )
        self.assertIn(("install", "kubelet"), self.services.calls)

    def test_files_that_new_arguments_name_are_there_before_the_apiserver_is_replaced(self) -> None:
        self.inputs["admission.yaml"] = "new"
        self.programs.failures["control-plane"] = commands.CommandFailed("kubeadm", "ended with status 1", "no")
        self.assertRaises(bootstrap.NodePhaseFailed, renew.run, self.node, self.inputs)
        directory = self.layout.cluster_files
        self.assertEqual("new", (directory / "admission.yaml").read_text())
        self.assertFalse((directory / "client.csr").exists())

    def test_each_static_pod_gets_an_annotation_that_differs_each_time(self) -> None:
        seen = []
        for _ in range(2):
            self.renew()
            patches = self.layout.cluster_files / "patches"
            names = {path.name for path in patches.iterdir()}
            self.assertEqual({f"{name}+strategic.json" for name in renew.STATIC_PODS}, names)
            seen.append(json.loads((patches / "etcd+strategic.json").read_text())["metadata"]["annotations"])
        self.assertNotEqual(seen[0], seen[1])
        documents = yaml.safe_load_all((self.layout.cluster_files / "kubeadm-renew.yaml").read_text())
        self.assertEqual(str(patches), next(documents)["patches"]["directory"])

    def test_a_failure_leaves_the_conductor_with_its_old_certificate(self) -> None:
        self.programs.failures["renew"] = commands.CommandFailed("kubeadm", "ended with status 1", "error: no")
        self.assertRaises(bootstrap.NodePhaseFailed, renew.run, self.node, self.inputs)
        self.assertEqual(1, len(self.programs.ran))
