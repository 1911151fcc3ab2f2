# SPDX-License-Identifier: Apache-2.0
import os
import pathlib
import tempfile
import unittest

from distribution.builder import cache


class Entries(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.cache = cache.Cache(pathlib.Path(directory.name))

    def build(self, key: str, age: int = 0) -> pathlib.Path:
        with self.cache.building("program", key) as output:
            (output / "file").write_text(key)
        entry = self.cache.components / "program" / key
        os.utime(entry, (1_000_000 - age, 1_000_000 - age))
        return entry

    def test_a_finished_build_becomes_the_entry(self) -> None:
        entry = self.build("one")
        self.assertEqual(entry, self.cache.find("program", "one"))
        self.assertEqual("one", (entry / "file").read_text())

    def test_a_failed_build_leaves_nothing(self) -> None:
        with self.assertRaises(ValueError), self.cache.building("program", "one") as output:
            (output / "file").write_text("half")
            raise ValueError
        self.assertIsNone(self.cache.find("program", "one"))
        self.assertEqual([], list((self.cache.components / "program").iterdir()))

    def test_what_a_killed_build_left_is_no_entry_and_goes_away(self) -> None:
        leftover = self.cache.components / "program" / "one.partial"
        leftover.mkdir(parents=True)
        self.assertIsNone(self.cache.find("program", "one"))
        self.build("two")
        self.assertFalse(leftover.exists())

    def test_only_the_newest_entries_stay(self) -> None:
        for age, key in enumerate(("five", "four", "three", "two")):
            self.build(key, age=10 - age)
        self.build("one")
        kept = {entry.name for entry in (self.cache.components / "program").iterdir()}
        self.assertEqual({"one", "two", "three"}, kept)

    def test_a_used_entry_counts_as_new(self) -> None:
        for age, key in enumerate(("old", "middle", "young")):
            self.build(key, age=10 - age)
        entry = self.cache.find("program", "old")
        assert entry is not None
        self.cache.touch(entry)
        self.build("newest")
        self.assertIsNotNone(self.cache.find("program", "old"))
        self.assertIsNone(self.cache.find("program", "middle"))
