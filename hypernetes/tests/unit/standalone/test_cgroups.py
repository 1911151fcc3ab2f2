# SPDX-License-Identifier: Apache-2.0
"""Control groups are mounted where they are missing, and removed although the kernel is still busy with them."""

import errno
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from hypernetes.standalone import cgroups
from hypernetes.standalone import machine


class EnsureMountedTest(unittest.TestCase):
    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.root = Path(place.name)
        self.bound_to_cgroup2 = ""
        for name, value in (
            ("SYSTEM_ROOT", self.root),
            ("hierarchies", lambda: self.mounted),
            ("enabled_controllers", lambda _table: ["cpu", "memory"]),
        ):
            patcher = mock.patch.object(cgroups, name, value)
            patcher.start()
            self.addCleanup(patcher.stop)
        self.mounted: list[cgroups.Hierarchy] = []
        patcher_run = mock.patch.object(machine, "run", self._run)
        patcher_run.start()
        self.addCleanup(patcher_run.stop)

    def _run(self, argv: list[object], **_options: object) -> str:
        if self.bound_to_cgroup2 and argv[-1] == self.root / self.bound_to_cgroup2:
            raise machine.CommandFailed("busy")
        return ""

    def _ensure(self) -> list[str]:
        return [str(path.relative_to(self.root)) for path in cgroups.ensure_mounted()]

    def test_a_bare_machine_gets_every_hierarchy(self) -> None:
        self.assertEqual([".", "cpu", "memory", "unified"], self._ensure())

    def test_a_unified_machine_needs_nothing(self) -> None:
        self.mounted = [cgroups.Hierarchy(self.root, frozenset(), unified=True)]
        self.assertEqual([], self._ensure())

    def test_only_missing_controllers_are_mounted(self) -> None:
        self.mounted = [cgroups.Hierarchy(self.root / "cpu", frozenset({"cpu"}), unified=False)]
        self.assertEqual(["memory", "unified"], self._ensure())

    def test_a_controller_that_cgroup2_has_leaves_no_directory(self) -> None:
        self.bound_to_cgroup2 = "memory"
        self.assertEqual([".", "cpu", "unified"], self._ensure())
        self.assertFalse((self.root / "memory").exists())


class RemoveTest(unittest.TestCase):
    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.group = Path(place.name) / "hypernetes"
        (self.group / "node1/kubepods/pod").mkdir(parents=True)
        (self.group / "node1/other").mkdir()
        self.rmdir = Path.rmdir
        patcher = mock.patch.object(cgroups, "REMOVE_TIMEOUT", 0.5)
        patcher.start()
        self.addCleanup(patcher.stop)

    def remove(self, *errors: int) -> None:
        """With this error from the first removal, that from the second, and so on."""
        left = list(errors)

        def rmdir(path: Path) -> None:
            if left:
                raise OSError(left.pop(0), "wanted by the test", str(path))
            self.rmdir(path)

        with mock.patch.object(Path, "rmdir", rmdir):
            cgroups.remove(self.group)

    def test_all_below_goes(self) -> None:
        self.remove()
        self.assertFalse(self.group.exists())

    def test_an_absent_one_is_fine(self) -> None:
        self.remove()
        self.remove()

    def test_a_busy_one_is_tried_again(self) -> None:
        self.remove(errno.EBUSY, errno.EBUSY)
        self.assertFalse(self.group.exists())

    def test_one_that_somebody_else_removes_meanwhile_is_fine(self) -> None:
        real = self.rmdir

        def rmdir_twice(path: Path) -> None:
            real(path)
            real(path)

        with mock.patch.object(Path, "rmdir", rmdir_twice):
            cgroups.remove(self.group)
        self.assertFalse(self.group.exists())

    def test_one_that_stays_busy_is_named(self) -> None:
        with self.assertRaisesRegex(machine.StandaloneError, str(self.group)):
            self.remove(*[errno.EBUSY] * 1000)

    def test_another_error_is_told_at_once(self) -> None:
        with self.assertRaisesRegex(machine.StandaloneError, str(self.group)):
            self.remove(errno.EPERM)
