# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import fixtures
import testtools

from tools import largest


class LargestTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = Path(self.useFixture(fixtures.TempDir()).path)

    def file(self, name: str, lines: int) -> Path:
        path = self.directory / name
        path.write_text("x\n" * lines)
        return path

    def test_the_files_that_are_too_long_are_named(self) -> None:
        files = [self.file("a.py", 3), self.file("b.go", 4), self.file("c.rst", 5)]
        self.assertEqual(
            [f"{files[2]}: 5 lines; at most 3 are allowed", f"{files[1]}: 4 lines; at most 3 are allowed"],
            largest.too_long(files, 3),
        )

    def test_generated_files_may_be_of_any_length(self) -> None:
        self.assertEqual([], largest.too_long([self.file("a.pb.go", 9), self.file("a_ttrpc.go", 9)], 3))
