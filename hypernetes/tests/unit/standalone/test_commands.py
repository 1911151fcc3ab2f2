# SPDX-License-Identifier: Apache-2.0
"""What ``status`` reports on a machine on which parts are down, as after a reboot."""

import contextlib
import dataclasses
import io
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from hypernetes.standalone import commands
from hypernetes.standalone import component
from hypernetes.standalone import machine
from hypernetes.standalone import table
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.layout import Layout


class StatusTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        place = Path(directory.name)
        (place / "state").mkdir()
        self.installation = Installation(Layout(state=place / "state", cache=place / "cache", repository=place))
        self.asked: list[str] = []

    def row(self, name: str, *needs: str, ready: Callable[[], bool]) -> component.Component:
        def answer(_installation: Installation) -> bool:
            self.asked.append(name)
            return ready()

        return component.Component(name=name, summary=name, start=lambda _: None, needs=needs, ready=answer)

    def status(self, *rows: component.Component) -> tuple[int, str]:
        said = io.StringIO()
        with (
            mock.patch.object(table, "COMPONENTS", component.by_name(rows)),
            contextlib.redirect_stdout(said),
        ):
            return commands.status(self.installation), said.getvalue()

    def test_everything_ready_is_success(self) -> None:
        code, said = self.status(self.row("a", ready=lambda: True), self.row("b", "a", ready=lambda: True))
        self.assertEqual(commands.READY, code)
        self.assertNotIn("not ready", said)

    def test_an_optional_part_counts_from_the_time_on_it_was_chosen(self) -> None:
        optional = dataclasses.replace(self.row("extra", ready=lambda: False), optional=True)
        rows = (self.row("a", ready=lambda: True), optional)
        code, said = self.status(*rows)
        self.assertEqual(commands.READY, code)
        self.assertNotIn("extra", said)
        self.installation.record("with", "extra")
        code, said = self.status(*rows)
        self.assertEqual(commands.NOT_READY, code)
        self.assertIn("extra", said)

    def test_what_a_chosen_part_needs_is_chosen_with_it(self) -> None:
        rows = (
            dataclasses.replace(self.row("below", ready=lambda: True), optional=True),
            dataclasses.replace(self.row("extra", "below", ready=lambda: True), optional=True),
        )
        self.installation.record("with", "extra")
        code, said = self.status(*rows)
        self.assertEqual((commands.READY, ["below", "extra"]), (code, self.asked))
        self.assertIn("below", said)

    def test_only_what_is_optional_can_be_chosen(self) -> None:
        self.assertEqual(["horizon"], commands.parser().parse_args(["up", "--with", "horizon"]).chosen)
        self.assertEqual([], commands.parser().parse_args(["up"]).chosen)
        with contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit):
            commands.parser().parse_args(["up", "--with", "mariadb"])

    def test_the_workers_are_those_of_the_last_number_of_nodes(self) -> None:
        for count, workers in ((1, []), (3, ["node2", "node3"]), (1, []), (3, ["node2", "node3"]), (2, ["node2"])):
            self.installation.remember("nodes", str(count))
            self.assertEqual(workers, self.installation.workers())
            parts = commands.chosen(self.installation)
            self.assertEqual(workers, [name for name in ("node2", "node3") if f"worker-{name}" in parts])

    def test_the_parts_of_workers_are_not_chosen_one_by_one(self) -> None:
        with contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit):
            commands.parser().parse_args(["up", "--with", "node2"])
        self.assertEqual(2, commands.parser().parse_args(["up", "--nodes", "2"]).nodes)

    def test_what_lacks_a_need_is_not_asked(self) -> None:
        code, said = self.status(
            self.row("child", "parent", ready=lambda: True), self.row("parent", ready=lambda: False)
        )
        self.assertEqual(commands.NOT_READY, code)
        self.assertEqual(["parent"], self.asked)
        self.assertEqual(2, said.count("not ready"))

    def test_a_question_that_fails_is_no_answer_and_no_traceback(self) -> None:
        def fails() -> bool:
            raise machine.StandaloneError("gone")

        code, said = self.status(self.row("a", ready=fails))
        self.assertEqual(commands.NOT_READY, code)
        self.assertIn("not ready", said)
