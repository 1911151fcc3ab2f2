# SPDX-License-Identifier: Apache-2.0
"""The busybox image's wget, run by this machine's shell with recording stand-ins."""

import pathlib
import subprocess
import tempfile
import unittest

from distribution.builder import command

WGET = command.ROOT / "distribution" / "busybox" / "wget"
RECORDER = '#!/bin/sh\nprintf "%s" "$(basename "$0")"\nprintf "|%s" "$@"\n'


class Wget(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        for name in ("busybox", "timeout"):
            self.install(name, RECORDER)

    def install(self, name: str, script: str) -> None:
        (self.directory / name).write_text(script)
        (self.directory / name).chmod(0o755)

    def wget(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", str(WGET), *arguments],
            env={"PATH": f"{self.directory}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )

    def test_without_a_limit_the_words_stay_as_they_are(self) -> None:
        self.assertEqual("busybox|wget|-q|-O|a b|http://x/", self.wget("-q", "-O", "a b", "http://x/").stdout)

    def test_every_way_to_write_a_limit_is_understood(self) -> None:
        for words in (["-T", "3"], ["-T3"], ["--timeout=3"], ["--timeout", "3"]):
            with self.subTest(words):
                self.assertEqual("timeout|3|busybox|wget|-q|http://x/", self.wget("-q", *words, "http://x/").stdout)

    def test_a_limit_among_other_letters_leaves_them(self) -> None:
        for words in (["-qT3"], ["-qT", "3"]):
            with self.subTest(words):
                self.assertEqual("timeout|3|busybox|wget|-q|http://x/", self.wget(*words, "http://x/").stdout)

    def test_a_file_name_with_that_letter_is_no_limit(self) -> None:
        self.assertEqual("busybox|wget|-OTEXT|http://x/", self.wget("-OTEXT", "http://x/").stdout)

    def test_running_out_of_time_is_an_ordinary_failure(self) -> None:
        self.install("timeout", "#!/bin/sh\nexit 143\n")
        answer = self.wget("-T", "1", "http://x/")
        self.assertEqual((1, "wget: download timed out\n"), (answer.returncode, answer.stderr))

    def test_another_failure_keeps_its_status(self) -> None:
        self.install("timeout", "#!/bin/sh\nexit 7\n")
        self.assertEqual(7, self.wget("-T", "1", "http://x/").returncode)
