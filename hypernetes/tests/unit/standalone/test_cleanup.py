# SPDX-License-Identifier: Apache-2.0
"""Stopping and removing touch what belongs to the installation, and nothing of the operator beside or below it."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

from hypernetes.standalone import cgroups
from hypernetes.standalone import cleanup
from hypernetes.standalone import machine
from hypernetes.standalone import mounts
from hypernetes.standalone import ownership
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.layout import Layout


class CleanupTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.place = Path(directory.name).resolve()
        self.state = self.place / "state"
        self.cache = self.place / "cache"
        self.state.mkdir()
        self.cache.mkdir()
        self.installation = Installation(Layout(state=self.state, cache=self.cache, repository=self.place))
        # Nothing of this machine's: no control group, no mount.
        self.mounted = [self.state]
        self.commands: list[list[str]] = []
        for target, name, replacement in (
            (cgroups, "hierarchies", list),
            (cgroups.ProcessGroup, "end", mock.Mock()),
            (mounts, "below", self._below),
            (machine, "run", self._run),
        ):
            patcher = mock.patch.object(target, name, replacement)
            patcher.start()
            self.addCleanup(patcher.stop)

    def _below(self, directory: Path) -> list[Path]:
        return [point for point in self.mounted[::-1] if point == directory or directory in point.parents]

    def _run(self, argv: list[str | Path], **_: object) -> str:
        words = [str(word) for word in argv]
        self.commands.append(words)
        if words[0] == "umount":
            self.mounted = [point for point in self.mounted if str(point) != words[-1]]
        return ""


class DownTest(CleanupTest):
    def test_a_state_directory_that_is_a_file_system_of_its_own_stays_mounted(self) -> None:
        operators = [self.state, self.state / "services/mariadb"]
        self.mounted = [*operators, self.state / "nodes/node1/lib/kubelet/x", self.state / "run/ns"]
        cleanup.down(self.installation, {})
        self.assertEqual(operators, self.mounted)


class CleanTest(CleanupTest):
    def clean(self, *, keep_cache: bool = False) -> None:
        cleanup.clean(self.installation, {}, keep_cache=keep_cache)

    def test_what_was_claimed_goes_with_all_that_is_in_it(self) -> None:
        self.mounted = []
        ownership.claim(self.installation.layout)
        (self.state / "log").mkdir()
        (self.cache / "venv").symlink_to(self.place)
        self.clean()
        self.assertEqual([], list(self.place.iterdir()))

    def test_a_directory_without_our_mark_stays(self) -> None:
        (self.state / "letters").write_text("mine")
        (self.cache / "letters").write_text("mine")
        self.clean()
        self.assertTrue((self.state / "letters").exists())
        self.assertTrue((self.cache / "letters").exists())

    def test_the_cache_can_be_kept(self) -> None:
        self.mounted = []
        ownership.claim(self.installation.layout)
        self.clean(keep_cache=True)
        self.assertEqual([self.cache], list(self.place.iterdir()))
