# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.commands, with real programs."""

import fcntl
import os
import subprocess
from pathlib import Path

import fixtures
import testtools

from hypernetes.agent import commands


class CommandsTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.lock = Path(self.useFixture(fixtures.TempDir()).path) / "lock"
        self.commands = commands.Commands(search_path="/usr/bin:/bin", timeout=10, lock=self.lock)

    def test_both_outputs_are_returned(self) -> None:
        self.assertEqual("out\nerr\n", self.commands.run(["/bin/sh", "-c", "echo out; echo err >&2"]))

    def test_a_failure_carries_status_and_last_words(self) -> None:
        failure = self.assertRaises(commands.CommandFailed, self.commands.run, ["/bin/sh", "-c", "echo why; exit 3"])
        self.assertEqual(("sh", "exited with status 3", "why"), (failure.program, failure.problem, failure.last_words))

    def test_a_program_that_takes_too_long_is_killed_with_what_it_started(self) -> None:
        failure = self.assertRaises(
            commands.CommandFailed, self.commands.run, ["/bin/sh", "-c", "echo begun; sleep 60 & wait"], timeout=0.3
        )
        self.assertIn("timed out after 0.3 s", failure.problem)
        self.assertEqual("begun", failure.last_words)

    def test_a_missing_program_is_a_failure(self) -> None:
        failure = self.assertRaises(commands.CommandFailed, self.commands.run, ["/nonexistent/program"])
        self.assertEqual("could not be started", failure.problem)

    def test_the_agents_environment_is_not_handed_on(self) -> None:
        self.useFixture(fixtures.EnvironmentVariable("OS_PASSWORD", "secret"))
        output = self.commands.run(["/usr/bin/env"], environment={"A": "1"})
        self.assertEqual(
            ["A=1", "HOME=/nonexistent", "LANG=C.UTF-8", "PATH=/usr/bin:/bin"],
            [line for line in sorted(output.split()) if not line.startswith(("PWD", "SHLVL", "_="))],
        )
        self.assertIn("OS_PASSWORD", os.environ)

    def test_of_a_long_output_the_beginning_and_the_end_are_kept(self) -> None:
        output = self.commands.run(["/bin/sh", "-c", "echo first; yes | head -c 1000000; echo last"])
        self.assertTrue(output.startswith("first\n"))
        self.assertTrue(output.endswith("last\n"))
        self.assertLess(len(output), 2 * (commands.HEAD_BYTES + commands.TAIL_BYTES))

    def test_a_program_that_a_killed_agent_left_behind_is_waited_for(self) -> None:
        # The lock's holder is the program itself: the agent that started it is gone.
        with self.lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            orphan = subprocess.Popen(["sleep", "0.5"], pass_fds=[file.fileno()])
        self.commands.run(["/bin/true"])
        self.assertIsNotNone(orphan.poll())

    def test_waiting_for_it_has_an_end(self) -> None:
        impatient = commands.Commands(search_path="/bin", timeout=0.2, lock=self.lock)
        with self.lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            failure = self.assertRaises(commands.CommandFailed, impatient.run, ["/bin/true"])
        self.assertIn("timed out waiting", failure.problem)


class SecretsTest(testtools.TestCase):
    def test_a_bootstrap_token_is_hidden_but_its_id(self) -> None:
        self.assertEqual("token: abcdef.<hidden>", commands.without_secrets("token: abcdef.0123456789abcdef"))

    def test_a_private_key_is_hidden_even_if_it_is_cut_off(self) -> None:
        self.assertEqual("a <hidden>", commands.without_secrets("a -----BEGIN EC PRIVATE KEY-----\nMHcCAQ"))
        self.assertEqual(
            "a <hidden> b",
            commands.without_secrets("a -----BEGIN PRIVATE KEY-----\nMHc\n-----END PRIVATE KEY----- b"),
        )

    def test_the_key_of_uploaded_certificates_is_hidden_but_not_a_containers_id(self) -> None:
        key = "0" * 64
        self.assertEqual("Using certificate key:\n<hidden>", commands.without_secrets(f"Using certificate key:\n{key}"))
        self.assertEqual("--certificate-key <hidden>", commands.without_secrets(f"--certificate-key {key}"))
        self.assertEqual(f"container {key} ended", commands.without_secrets(f"container {key} ended"))
