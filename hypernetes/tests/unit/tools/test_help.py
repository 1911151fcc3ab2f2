# SPDX-License-Identifier: Apache-2.0
"""Every tool of a checkout prints its help, wherever the option stands, and does nothing else."""

import os
import subprocess
from pathlib import Path

import testtools

REPOSITORY = Path(__file__).parents[4]


def executables() -> list[Path]:
    """Return the tools, which git lists as executable."""
    listed = subprocess.run(
        ["git", "ls-files", "--stage", "tools", "distribution"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    rows = [line.split("\t") for line in listed.splitlines() if line.startswith("100755")]
    return [REPOSITORY / name for _, name in rows if "/" not in name.partition("/")[2]]


class HelpTest(testtools.TestCase):
    def help_of(self, *argv: str | Path) -> str:
        # A tool that starts its work in spite of the option finds no program to do it with, and no environment.
        environment = {"PATH": "/usr/bin:/bin", "HYPERNETES_CACHE": "/nonexistent", "HOME": "/nonexistent"}
        done = subprocess.run(
            argv,
            cwd="/",
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        self.assertEqual((0, ""), (done.returncode, done.stderr), " ".join(map(str, argv)))
        return done.stdout

    def test_every_tool_has_help(self) -> None:
        tools = executables()
        self.assertLessEqual({"bench", "quickstart", "run", "test"}, {path.name for path in tools})
        for path in tools:
            for option in ("-h", "--help"):
                self.assertIn(str(path.relative_to(REPOSITORY)), self.help_of(path, option))

    def test_the_option_counts_after_other_words_too(self) -> None:
        self.assertIn("tools/test unit", self.help_of(REPOSITORY / "tools/test", "unit", "--help"))
        self.assertIn("tools/quickstart down", self.help_of(REPOSITORY / "tools/quickstart", "up", "--help"))

    def test_what_bench_does_not_know_it_does_not_run(self) -> None:
        done = subprocess.run(
            [REPOSITORY / "tools/bench", "--rounds"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=os.environ,
        )
        self.assertEqual(2, done.returncode)
        self.assertIn("tools/bench --help", done.stderr)
