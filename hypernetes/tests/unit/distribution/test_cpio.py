# SPDX-License-Identifier: Apache-2.0
"""The initramfs archive."""

from __future__ import annotations

import pathlib
import shutil
import stat
import subprocess
import tempfile
import unittest

from distribution.builder import cpio


class ArchiveTest(unittest.TestCase):
    def test_every_part_is_aligned_and_the_end_is_marked(self) -> None:
        for size in range(5):
            data = cpio.archive([cpio.file("x" * (size + 1), b"d" * size)])
            self.assertEqual(0, len(data) % 4)
            self.assertIn(cpio.TRAILER.encode(), data[-16:])

    def test_equal_entries_make_equal_bytes(self) -> None:
        entries = [cpio.directory("etc"), cpio.file("etc/x", b"1")]
        self.assertEqual(cpio.archive(entries), cpio.archive(entries))

    def test_a_device_node_carries_its_numbers(self) -> None:
        header = cpio.archive([cpio.Entry("dev/null", stat.S_IFCHR | 0o666, device=(1, 3))])[:110]
        self.assertEqual(b"070701", header[:6])
        self.assertEqual((1, 3), (int(header[78:86], 16), int(header[86:94], 16)))

    def test_the_reference_program_reads_it(self) -> None:
        program = shutil.which("cpio")
        if program is None:
            self.skipTest("cpio is not installed; tools/quickstart installs it (bindep.txt)")
        archive = cpio.archive(
            [cpio.directory("bin"), cpio.executable("bin/init", b"program"), cpio.file("odd", b"abc")]
        )
        with tempfile.TemporaryDirectory() as directory:
            subprocess.run([program, "--extract", "--quiet"], input=archive, cwd=directory, check=True, timeout=30)
            unpacked = pathlib.Path(directory)
            self.assertEqual(b"program", (unpacked / "bin" / "init").read_bytes())
            self.assertEqual(0o755, stat.S_IMODE((unpacked / "bin" / "init").stat().st_mode))
            self.assertEqual(b"abc", (unpacked / "odd").read_bytes())
