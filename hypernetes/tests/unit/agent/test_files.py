# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.files."""

import stat
from pathlib import Path
from unittest import mock

import fixtures
import testtools

from hypernetes.agent import files


class FilesTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = Path(self.useFixture(fixtures.TempDir()).path)

    def test_a_new_file_is_for_its_owner_only(self) -> None:
        self.assertTrue(files.write(self.directory / "a" / "b", "text"))
        self.assertEqual(0o600, stat.S_IMODE((self.directory / "a" / "b").stat().st_mode))

    def test_an_equal_file_is_left_alone_but_its_mode_is_mended(self) -> None:
        path = self.directory / "a"
        path.write_text("text")
        path.chmod(0o666)
        inode = path.stat().st_ino
        self.assertFalse(files.write(path, "text", 0o644))
        self.assertEqual((inode, 0o644), (path.stat().st_ino, stat.S_IMODE(path.stat().st_mode)))

    def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(self) -> None:
        path = self.directory / "a"
        path.write_text("old")
        with mock.patch("os.fsync", side_effect=OSError("disk full")):
            self.assertRaises(OSError, files.write, path, "new")
        self.assertEqual(["old"], [p.read_text() for p in self.directory.iterdir()])

    def test_broken_json_counts_as_absent(self) -> None:
        (self.directory / "a").write_text("{")
        self.assertIsNone(files.read_json(self.directory / "a"))
        self.assertIsNone(files.read_json(self.directory / "b"))

    def test_json_comes_back_as_it_went(self) -> None:
        files.write_json(self.directory / "a", {"b": [1, None]})
        self.assertEqual({"b": [1, None]}, files.read_json(self.directory / "a"))
