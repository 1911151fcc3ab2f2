# SPDX-License-Identifier: Apache-2.0
"""A control group is taken away although the kernel, or a runtime, is still busy with it."""

import errno
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from hypernetes.standalone import cgroups
from hypernetes.standalone import machine


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
