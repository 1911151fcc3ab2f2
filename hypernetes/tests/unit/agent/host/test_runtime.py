# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.host.runtime."""

import json
from pathlib import Path

import fixtures
import testtools

from hypernetes.agent.host import runtime
from hypernetes.tests.support import agent_builders


class RuntimeTest(testtools.TestCase):
    def test_the_shim_reads_paths_and_bytes(self) -> None:
        directory = Path(self.useFixture(fixtures.TempDir()).path)
        conf, layout = agent_builders.configuration(directory), agent_builders.layout(directory)
        runtime.write(conf, layout)
        written = json.loads(layout.runtime.read_text())
        self.assertEqual(str(directory / "dist" / "guest"), written["guest_dir"])
        self.assertEqual((10 << 30, 128 << 20), (written["scratch_size"], written["default_memory"]))
        self.assertEqual(64 << 20, written["translation_buffer"])
        self.assertEqual((1 << 30, 1.0), (written["scratch_reserve"], written["scratch_allocation_ratio"]))
        self.assertEqual(
            ("off", 8, 1 << 30), (written["templates"], written["templates_count"], written["templates_memory"])
        )
        self.assertEqual(str(layout.templates_socket), written["templates_socket"])
        self.assertEqual(0o644, layout.runtime.stat().st_mode & 0o777)
