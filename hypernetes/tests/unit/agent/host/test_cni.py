# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.host.cni."""

import json
import subprocess
from pathlib import Path

import fixtures
import testtools

from hypernetes.agent.host import cni
from hypernetes.tests.support import agent_builders


class CniInstallationTest(testtools.TestCase):
    def test_the_installed_program_runs_in_a_bare_environment(self) -> None:
        layout = agent_builders.layout(Path(self.useFixture(fixtures.TempDir()).path))
        cni.install(layout, 180)
        ended = subprocess.run(
            [layout.cni_plugin],
            input='{"cniVersion": "1.1.0"}',
            env={"CNI_COMMAND": "VERSION"},
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        self.assertEqual(["1.0.0", "1.1.0"], json.loads(ended.stdout)["supportedVersions"])

    def test_the_network_names_the_plugin_and_the_agents_socket(self) -> None:
        network = json.loads(cni.network("hypernetes-cni", Path("/run/agent.sock"), 180))
        self.assertEqual("1.1.0", network["cniVersion"])
        self.assertEqual({"type": "hypernetes-cni", "socket": "/run/agent.sock", "timeout": 180}, network["plugins"][0])
