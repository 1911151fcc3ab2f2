# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.host.kubelet, by running the script with a kubelet that prints its arguments."""

import subprocess
from pathlib import Path

import fixtures
import testtools

from hypernetes.agent.host import kubelet
from hypernetes.tests.support import agent_builders


class KubeletTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.layout = agent_builders.layout(Path(self.useFixture(fixtures.TempDir()).path))
        self.layout.binaries.mkdir(parents=True)
        self.layout.kubelet.mkdir()
        (self.layout.binaries / "kubelet").write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n')
        (self.layout.binaries / "kubelet").chmod(0o755)

    def _run(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", "-c", kubelet.script(self.layout)], capture_output=True, text=True, timeout=10, check=False
        )

    def test_without_a_configuration_it_ends_and_says_so(self) -> None:
        ended = self._run()
        self.assertEqual((1, "kubeadm has not configured kubelet yet\n"), (ended.returncode, ended.stdout))

    def test_kubeadms_flags_become_arguments_of_their_own(self) -> None:
        (self.layout.kubelet / "config.yaml").touch()
        (self.layout.kubelet / "kubeadm-flags.env").write_text('KUBELET_KUBEADM_ARGS="--node-ip=192.0.2.1 --v=2"\n')
        self.assertEqual(
            [
                f"--bootstrap-kubeconfig={self.layout.kubernetes}/bootstrap-kubelet.conf",
                f"--kubeconfig={self.layout.kubernetes}/kubelet.conf",
                f"--config={self.layout.kubelet}/config.yaml",
                "--node-ip=192.0.2.1",
                "--v=2",
            ],
            self._run().stdout.splitlines(),
        )
