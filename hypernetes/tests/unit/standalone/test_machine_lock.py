# SPDX-License-Identifier: Apache-2.0
"""A machine has one installation, and one verb at a time is at work on it."""

import fcntl
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from hypernetes.standalone import cgroups
from hypernetes.standalone import cleanup
from hypernetes.standalone import commands
from hypernetes.standalone import machine
from hypernetes.standalone import machine_lock
from hypernetes.standalone.layout import Layout


class MachineLockTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.place = Path(directory.name).resolve()
        self.lock = self.place / "lock"
        self.own = self.place / "own"
        self.other = self.place / "theirs"
        hierarchy = cgroups.Hierarchy(self.place / "cgroup", frozenset(), unified=True)
        for target, name, value in (
            (machine_lock, "LOCK", self.lock),
            (machine_lock, "DEFAULT_STATE", self.place / "default"),
            (cgroups, "hierarchies", lambda: [hierarchy]),
        ):
            patcher = mock.patch.object(target, name, value)
            patcher.start()
            self.addCleanup(patcher.stop)

    def run_a_process(self, directory: str = cgroups.DIRECTORY) -> None:
        group = self.place / "cgroup" / directory / "control"
        group.mkdir(parents=True)
        (group / "cgroup.procs").write_text("1\n")

    def test_two_at_once_are_refused_whatever_their_directories(self) -> None:
        for state in (self.own, self.other):
            with (
                machine_lock.held(self.own),
                self.assertRaisesRegex(machine.StandaloneError, "at work.*own"),
                machine_lock.held(state),
            ):
                self.fail("both went on")

    def test_another_installation_that_runs_keeps_the_machine(self) -> None:
        with machine_lock.held(self.other):
            self.run_a_process()
        with self.assertRaisesRegex(machine.StandaloneError, f"HYPERNETES_STATE={self.other} "):
            machine_lock.held(self.own).__enter__()
        with machine_lock.held(self.other):
            pass

    def test_a_pod_that_outlived_its_installation_counts_too(self) -> None:
        with machine_lock.held(self.other):
            self.run_a_process(cgroups.NODES_DIRECTORY)
        with self.assertRaises(machine.StandaloneError):
            machine_lock.held(self.own).__enter__()

    def test_the_machine_of_one_that_was_stopped_is_free(self) -> None:
        with machine_lock.held(self.other):
            pass
        with machine_lock.held(self.own):
            pass
        self.assertEqual(f"{self.own}\n", self.lock.read_text())

    def test_what_runs_without_a_name_is_the_default_installations(self) -> None:
        self.run_a_process()
        with self.assertRaises(machine.StandaloneError):
            machine_lock.held(self.own).__enter__()
        with machine_lock.held(self.place / "default"):
            pass

    def test_who_opened_the_file_before_its_removal_locks_the_new_one(self) -> None:
        real = fcntl.flock
        tries: list[int] = []

        def flock(stream: object, operation: int) -> None:
            real(stream, operation)  # type: ignore[arg-type]
            tries.append(operation)
            if len(tries) == 1:
                # A clean that ended between our open and our lock, and an up that came after it.
                self.lock.unlink()

        with mock.patch.object(fcntl, "flock", flock), machine_lock.held(self.own):
            self.assertEqual(2, len(tries))
            self.assertEqual(f"{self.own}\n", self.lock.read_text())
            with self.assertRaises(machine.StandaloneError):
                machine_lock.held(self.own).__enter__()

    def test_clean_leaves_no_lock_file_and_down_keeps_it(self) -> None:
        layout = Layout(state=self.own, cache=self.place / "cache", repository=self.place)
        with (
            mock.patch.object(Layout, "from_environment", return_value=layout),
            mock.patch.object(cleanup, "down"),
            mock.patch.object(cleanup, "clean"),
        ):
            self.assertEqual(commands.READY, commands.main(["down"]))
            self.assertTrue(self.lock.exists())
            self.assertEqual(commands.READY, commands.main(["clean"]))
        self.assertEqual([], list(self.place.iterdir()))

    def test_a_clean_that_failed_keeps_the_file(self) -> None:
        with self.assertRaises(KeyError), machine_lock.held(self.own):
            raise KeyError
        self.assertTrue(self.lock.exists())
