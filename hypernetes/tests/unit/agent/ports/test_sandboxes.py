# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.ports.sandboxes."""

import dataclasses
import time
from pathlib import Path

import fixtures
import testtools

from hypernetes.agent.ports import sandboxes
from hypernetes.agent.ports.sandboxes import SandboxRecord
from hypernetes.agent.ports.sandboxes import SandboxState
from hypernetes.tests.support import agent_builders


class SandboxStoreTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = Path(self.useFixture(fixtures.TempDir()).path)
        self.store = sandboxes.SandboxStore(self.directory / "state", self.directory / "records", self.directory / "vm")

    def test_a_sandbox_comes_back_as_it_went(self) -> None:
        sandbox = SandboxRecord(
            "a", SandboxState.PLUGGED, "/n", "red", "p", "u", time.time(), agent_builders.binding(5)
        )
        self.store.save(sandbox)
        self.assertEqual(sandbox, self.store.get("a"))
        self.store.save(dataclasses.replace(sandbox, binding=None))
        self.assertIsNone(self.store.all()[0].tap)

    def test_files_that_are_none_of_ours_are_skipped(self) -> None:
        for name, content in (("a.json", "{"), ("b.json", "[]"), (".c.json", "{}"), ("d.json", '{"state": "X"}')):
            (self.directory / "state" / name).write_text(content)
        self.assertEqual([], self.store.all())

    def test_an_identifier_never_leads_out_of_the_directory(self) -> None:
        for text in ("../a", "a/b", ".a", "", "a" * 129, "a\n"):
            self.assertFalse(sandboxes.is_sandbox_id(text), text)
        self.assertTrue(sandboxes.is_sandbox_id("f10c24e9b5fc71b1c6214b16d44277a1"))
