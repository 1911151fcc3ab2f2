# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.bootstrap.prepare."""

import json
import sys

import fixtures
import yaml

from hypernetes.agent import bootstrap
from hypernetes.agent.bootstrap import prepare
from hypernetes.agent.host import cni
from hypernetes.agent.host import services
from hypernetes.conf import timeouts
from hypernetes.tests.support import agent_builders


class PrepareTest(agent_builders.PhaseTest):
    def test_a_key_for_secrets_is_made_once_and_kept(self) -> None:
        prepare.write_encryption_configuration(self.node)
        path = self.layout.cluster_files / "encryption.yaml"
        first = path.read_text()
        prepare.write_encryption_configuration(self.node)
        self.assertEqual((first, 0o600), (path.read_text(), path.stat().st_mode & 0o777))
        self.assertIn("secretbox", yaml.safe_load(first)["resources"][0]["providers"][0])

    def test_files_are_written_for_root_only(self) -> None:
        prepare.write_cluster_files(self.node, {"webhook.yaml": "a", "kubeadm.yaml": "b"})
        modes = {path.name: path.stat().st_mode & 0o777 for path in self.layout.cluster_files.iterdir()}
        self.assertEqual({"webhook.yaml": 0o600, "kubeadm.yaml": 0o600}, modes)
        self.assertEqual(0o700, self.layout.cluster_files.stat().st_mode & 0o777)

    def test_a_name_that_leads_elsewhere_is_refused(self) -> None:
        for name in ("../admin.yaml", "/etc/passwd", "a/b.yaml", "x.sh", "encryption.yaml", ""):
            self.assertRaises(bootstrap.NodePhaseFailed, prepare.write_cluster_files, self.node, {name: "x"})

    def test_a_configuration_that_is_no_yaml_is_refused(self) -> None:
        self.assertRaises(bootstrap.NodePhaseFailed, prepare.run, self.node, {"kubeadm.yaml": "{"})

    def test_containerd_that_never_answers_fails_the_phase(self) -> None:
        self.useFixture(fixtures.MockPatchObject(prepare, "CONTAINERD_START_SECONDS", 0.0))
        failure = self.assertRaises(bootstrap.NodePhaseFailed, prepare.start_containerd, self.node)
        self.assertIn("containerd did not answer", str(failure))
        self.assertIn(("install", "containerd"), self.services.calls)

    def test_containerd_is_restarted_only_for_a_changed_configuration(self) -> None:
        self.useFixture(fixtures.MockPatchObject(prepare, "_answers", return_value=True))
        self.services.states["containerd"] = services.ServiceState.RUNNING
        prepare.start_containerd(self.node)
        prepare.start_containerd(self.node)
        self.assertEqual(1, self.services.calls.count(("restart", "containerd")))

    def test_the_keeper_of_templates_runs_only_where_they_are_on(self) -> None:
        prepare.start_templates(self.node)
        self.assertEqual([("remove", "hypernetes-templates")], self.services.calls)
        self.node.conf.set_override("templates", "project", group="node")
        prepare.start_templates(self.node)
        self.assertEqual(("install", "hypernetes-templates"), self.services.calls[-1])

    def test_a_prepared_node_follows_an_agent_that_moved(self) -> None:
        self.useFixture(fixtures.MockPatchObject(prepare, "_answers", return_value=True))
        cni.install(self.layout, 1)
        self.layout.cni_plugin.write_text("#!/removed/installation/bin/python\n")
        prepare.refresh(self.node)
        program = self.layout.cni_plugin.read_text()
        self.assertIn(sys.executable, program)
        timeout = json.loads(self.layout.cni_network.read_text())["plugins"][0]["timeout"]
        self.assertEqual(timeouts.cni_add(self.node.conf), timeout)
        self.assertIn(("install", "containerd"), self.services.calls)

    def test_a_node_that_is_not_prepared_is_left_alone(self) -> None:
        prepare.refresh(self.node)
        self.assertFalse(self.layout.cni_plugin.exists())
        self.assertEqual([], self.services.calls)
