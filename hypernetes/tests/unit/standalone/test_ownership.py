# SPDX-License-Identifier: Apache-2.0
"""Only an empty directory is marked, and only a marked one is ever removed."""

import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from hypernetes.standalone import commands
from hypernetes.standalone import machine
from hypernetes.standalone import machine_lock
from hypernetes.standalone import mounts
from hypernetes.standalone import ownership
from hypernetes.standalone.layout import Layout

QUICKSTART = Path(__file__).resolve().parents[4] / "tools" / "quickstart"


class OwnershipTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.place = Path(directory.name).resolve()
        self.state = self.place / "state"
        self.cache = self.place / "cache"
        self.layout = Layout(state=self.state, cache=self.cache, repository=self.place)

    def test_absent_and_empty_directories_become_ours(self) -> None:
        self.state.mkdir()
        ownership.claim(self.layout)
        for directory in (self.state, self.cache):
            (directory / "file").touch()
        ownership.check(self.layout)

    def test_a_directory_that_holds_something_is_refused_with_the_remedy(self) -> None:
        for directory in (self.state, self.cache):
            with self.subTest(directory=directory.name):
                directory.mkdir()
                (directory / "letters").write_text("mine")
                with self.assertRaisesRegex(machine.StandaloneError, f"touch {directory / ownership.MARK}"):
                    ownership.claim(self.layout)
                (directory / ownership.MARK).touch()
                ownership.check(self.layout)

    def test_nothing_is_done_to_a_directory_that_is_not_ours(self) -> None:
        self.state.mkdir()
        (self.state / "letters").write_text("mine")
        for verb in ("up", "down", "clean"):
            with (
                mock.patch.object(Layout, "from_environment", return_value=self.layout),
                mock.patch.object(machine_lock, "held", side_effect=AssertionError("went on")),
                mock.patch("sys.stderr"),
            ):
                self.assertEqual(commands.FAILED, commands.main([verb]), verb)
        self.assertEqual([self.state / "letters"], list(self.state.iterdir()))

    def test_neither_a_file_nor_a_dangling_link_is_taken(self) -> None:
        self.state.touch()
        with self.assertRaises(machine.StandaloneError):
            ownership.check(self.layout)
        self.state.unlink()
        self.state.symlink_to(self.place / "nowhere")
        with self.assertRaises(machine.StandaloneError):
            ownership.check(self.layout)

    def test_what_lies_at_a_default_place_is_ours_without_a_mark(self) -> None:
        self.state.mkdir()
        (self.state / "log").mkdir()
        with mock.patch.object(ownership, "DEFAULT_STATE", self.state):
            ownership.claim(self.layout)
        self.assertTrue((self.state / ownership.MARK).exists())

    def test_a_directory_that_is_a_file_system_of_its_own_is_emptied_and_stays(self) -> None:
        ownership.claim(self.layout)
        (self.state / "log").mkdir()
        with (
            mock.patch.object(mounts, "below", return_value=[self.state]),
            mock.patch.object(Path, "is_mount", return_value=True),
        ):
            ownership.remove(self.state)
        self.assertEqual([], list(self.state.iterdir()))

    def test_nothing_is_removed_through_somebody_elses_mount(self) -> None:
        ownership.claim(self.layout)
        (self.state / "log").mkdir()
        with (
            mock.patch.object(mounts, "below", return_value=[self.state / "log"]),
            self.assertRaisesRegex(machine.StandaloneError, "state/log"),
        ):
            ownership.remove(self.state)
        self.assertTrue((self.state / "log").exists())


class CacheOfTheScriptTest(unittest.TestCase):
    """``claim_cache`` of tools/quickstart, which runs before Python packages are installed."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.cache = Path(directory.name) / "cache"

    def claim(self) -> subprocess.CompletedProcess[str]:
        script = QUICKSTART.read_text()
        functions = script[: script.index("\npackages() {")]
        return subprocess.run(
            ["/bin/bash", "-c", functions + "\nclaim_cache", QUICKSTART],
            env={"HYPERNETES_CACHE": str(self.cache), "PATH": machine.PATH},
            capture_output=True,
            text=True,
            check=False,
        )

    def test_it_leaves_the_mark_that_python_looks_for(self) -> None:
        for _ in range(2):
            self.assertEqual(0, self.claim().returncode)
        self.assertEqual([self.cache / ownership.MARK], list(self.cache.iterdir()))

    def test_a_directory_that_holds_something_is_refused(self) -> None:
        self.cache.mkdir()
        (self.cache / "letters").touch()
        done = self.claim()
        self.assertEqual(1, done.returncode)
        self.assertIn(f"touch {self.cache / ownership.MARK}", done.stderr)
        self.assertFalse((self.cache / ownership.MARK).exists())
