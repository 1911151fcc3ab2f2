# SPDX-License-Identifier: Apache-2.0
import pathlib
import subprocess
import tempfile
import threading
import time
import unittest

from distribution.builder import children


class Commands(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.children = children.Children()

    def run_shell(self, script: str, timeout: float = 10.0) -> int:
        with (self.directory / "log").open("ab") as log:
            return self.children.run(
                ["/bin/sh", "-c", script],
                cwd=self.directory,
                env={"PATH": "/usr/bin:/bin"},
                stdin=b"given\n",
                stdout=log,
                stderr=log,
                timeout=timeout,
            )

    def log(self) -> str:
        return (self.directory / "log").read_text()

    def test_the_status_and_both_outputs_come_back(self) -> None:
        self.assertEqual(3, self.run_shell("cat; echo trouble >&2; exit 3"))
        self.assertEqual("given\ntrouble\n", self.log())

    def test_a_missing_program_is_told_as_such(self) -> None:
        with (self.directory / "log").open("ab") as log, self.assertRaises(FileNotFoundError):
            self.children.run(
                ["nonexistent"], cwd=self.directory, env={}, stdin=b"", stdout=log, stderr=log, timeout=10
            )

    def test_a_command_over_its_time_is_killed_with_what_it_started(self) -> None:
        with self.assertRaises(subprocess.TimeoutExpired):
            self.run_shell("sleep 60 & echo $!; wait", timeout=0.3)
        self.assertTrue(self.ended(int(self.log())))

    def test_the_end_ends_running_commands_and_forbids_new_ones(self) -> None:
        outcome: list[BaseException] = []

        def wait() -> None:
            try:
                self.run_shell("echo running; sleep 60")
            except children.Interrupted as error:
                outcome.append(error)

        waiter = threading.Thread(target=wait)
        waiter.start()
        deadline = time.monotonic() + 10
        while not (self.directory / "log").exists() or "running" not in self.log():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        self.children.end()
        waiter.join(10)
        self.assertEqual(1, len(outcome))
        with self.assertRaises(children.Interrupted):
            self.run_shell("true")

    def ended(self, pid: int) -> bool:
        """Whether a process is gone, or dead and not yet collected, within a short time."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
            except FileNotFoundError:
                return True
            if state == "Z":
                return True
            time.sleep(0.01)
        return False
