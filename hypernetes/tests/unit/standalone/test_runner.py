# SPDX-License-Identifier: Apache-2.0
"""Components start side by side, none before what it needs, and none after a failure."""

import tempfile
import unittest
from pathlib import Path

from hypernetes.standalone import component
from hypernetes.standalone import machine
from hypernetes.standalone import runner
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.layout import Layout


class RunnerTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        place = Path(directory.name)
        self.installation = Installation(Layout(state=place / "state", cache=place / "cache", repository=place))
        self.started: list[str] = []
        self.lines: list[str] = []

    def row(self, name: str, *needs: str, fails: bool = False) -> component.Component:
        def start(_installation: Installation) -> None:
            self.started.append(name)
            if fails:
                raise machine.StandaloneError("no room")

        return component.Component(name=name, summary=name, start=start, needs=needs)

    def run_all(self, *rows: component.Component) -> list[runner.Result]:
        table = component.by_name(rows)
        return runner.start_all(table, table, self.installation, runner.Progress(self.lines.append))

    def test_what_is_needed_starts_first(self) -> None:
        self.run_all(self.row("b", "a"), self.row("a"))
        self.assertEqual(["a", "b"], self.started)

    def test_nothing_that_needs_a_failed_component_is_started(self) -> None:
        results = self.run_all(self.row("a", fails=True), self.row("b", "a"))
        self.assertEqual(["a"], self.started)
        self.assertEqual(["no room"], [result.error for result in results])

    def test_each_component_has_one_line_and_a_failure_its_reason(self) -> None:
        self.run_all(self.row("a"), self.row("b", "a", fails=True))
        self.assertEqual(3, len(self.lines))
        self.assertIn("no room", self.lines[2])


class OnceTest(RunnerTest):
    def test_a_step_is_done_once_for_a_fingerprint(self) -> None:
        done: list[int] = []
        for fingerprint in ("1", "1", "2"):
            self.installation.once("step", fingerprint, lambda: done.append(1))
        self.assertEqual(2, len(done))

    def test_an_interrupted_step_is_done_again(self) -> None:
        def interrupted() -> None:
            raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            self.installation.once("step", "1", interrupted)
        self.assertTrue(self.installation.once("step", "1", lambda: None))
