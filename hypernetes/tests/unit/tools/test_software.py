# SPDX-License-Identifier: Apache-2.0
"""The software tier's recipes and table, without the deployment it runs on."""

import dataclasses
import re
import subprocess
import tempfile
from pathlib import Path
from unittest import mock

import testtools

from hypernetes.standalone import machine
from hypernetes.tests.isolation import base as isolation
from hypernetes.tests.software import base
from hypernetes.tests.software import image
from hypernetes.tests.software import programs


class RecipeTest(testtools.TestCase):
    def test_the_tag_follows_the_packages_and_not_their_order(self) -> None:
        recipe = image.Recipe("one", ("a", "b"))
        self.assertEqual(recipe.tag, image.Recipe("one", ("b", "a")).tag)
        self.assertNotEqual(recipe.tag, image.Recipe("one", ("a",)).tag)

    def test_mmdebstrap_installs_the_packages(self) -> None:
        words = image.mmdebstrap_command(Path("/m"), image.Recipe("one", ("b", "a")), Path("/root.tar"))
        self.assertIn("--include=a,b", words)
        self.assertEqual([image.SUITE, "/root.tar"], words[-2:])


class TableTest(testtools.TestCase):
    PROGRAM = programs.Program("Two words", "pwd; echo one; echo two", r"one\ntwo\n", 20)

    def run_in(self, program: programs.Program, directory: str) -> tuple[int, str]:
        done = subprocess.run(base.shell(program, directory), capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout

    def test_a_program_has_a_directory_of_its_own(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            status, output = self.run_in(self.PROGRAM, directory)
            self.assertEqual((0, f"{directory}/two-words"), (status, output.splitlines()[0]))

    def test_a_script_ends_at_its_first_failure(self) -> None:
        failing = dataclasses.replace(self.PROGRAM, script="false; echo two")
        with tempfile.TemporaryDirectory() as directory:
            self.assertEqual((1, ""), self.run_in(failing, directory))

    def test_a_script_that_takes_too_long_is_ended(self) -> None:
        endless = dataclasses.replace(self.PROGRAM, script="sleep 60", seconds=1)
        with tempfile.TemporaryDirectory() as directory:
            self.assertEqual(124, self.run_in(endless, directory)[0])

    def test_a_detached_program_leaves_its_output_and_its_status(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            results = Path(directory) / "results"
            failing = dataclasses.replace(self.PROGRAM, script="echo out; echo err >&2; exit 3")
            argv = ["sh", "-c", base.DETACHED, "sh", str(results), *base.shell(failing, directory)]
            for _ in range(2):
                subprocess.run(argv, timeout=60, check=True)
                machine.wait_until((results / "status").exists, "the status", timeout=30)
                self.assertEqual(("3\n", "out\nerr\n"), tuple((results / n).read_text() for n in ("status", "output")))

    def test_an_answer_that_does_not_come_says_nothing_of_the_program(self) -> None:
        answers = [
            isolation.Result(0, "", ""),
            subprocess.TimeoutExpired("kubectl", 120),
            isolation.Result(1, "", "refused"),
            isolation.Result(0, "0\n", ""),
            isolation.Result(0, "one\ntwo\n", ""),
        ]
        pods = mock.Mock(exec=mock.Mock(side_effect=answers))
        with mock.patch.object(base.SoftwareTest, "pods", pods, create=True), mock.patch("time.sleep"):
            self.assertTrue(base.SoftwareTest().run_program("pod", self.PROGRAM, "/work").passed)

    def test_the_remarks_of_a_row_are_lines(self) -> None:
        row = programs.python_tests("p", "os")
        output = (
            "0:01 test_os failed\nFAIL: test_a (test.test_os.B)\n1 test failed:\n    test_os\nTests result: FAILURE\n"
        )
        expected = ["FAIL: test_a (test.test_os.B)", "1 test failed: test_os", "Tests result: FAILURE"]
        self.assertEqual(expected, base.remarks(row, output))
        self.assertEqual([], base.remarks(programs.GIT, output))

    def test_every_row_becomes_a_test_of_its_own(self) -> None:
        class Tests(base.SoftwareTest):
            pass

        base.table([(self.PROGRAM, "pod", kind) for kind in base.DIRECTORIES])(Tests)
        self.assertEqual(
            {"test_two_words_pod_image", "test_two_words_pod_emptydir"},
            {n for n in vars(Tests) if n.startswith("test")},
        )

    def test_names_are_unique_and_scripts_are_shell(self) -> None:
        rows = {*programs.QUICK, *programs.WHOLE}
        names = {re.sub(r"\W+", "_", row.name).lower() for row in rows}
        self.assertEqual(len(rows), len(names))
        for row in rows:
            checked = subprocess.run(["sh", "-n", "-c", row.script], capture_output=True, text=True, check=False)
            self.assertEqual((0, ""), (checked.returncode, checked.stderr), row.name)
            re.compile(row.expected)
