# SPDX-License-Identifier: Apache-2.0
"""The units for systemd and the samples beside them start programs that exist, with files that the guide names."""

import configparser
import tomllib
from pathlib import Path

import testtools

REPOSITORY = Path(__file__).parents[4]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
UNITS = sorted((REPOSITORY / "etc/systemd").glob("*.service"))
_OTHERS = {"uwsgi", "supervisord"}


class UnitsTest(testtools.TestCase):
    def service(self, path: Path) -> configparser.SectionProxy:
        parser = configparser.ConfigParser(strict=False, interpolation=None)
        parser.read(path)
        return parser["Service"]

    def test_every_unit_starts_a_program_that_is_installed(self) -> None:
        self.assertEqual(5, len(UNITS))
        for unit in UNITS:
            program = Path(self.service(unit)["ExecStart"].split()[0]).name
            self.assertIn(program, _OTHERS | PROJECT["scripts"].keys(), unit.name)

    def test_the_guide_names_every_file_that_a_unit_reads(self) -> None:
        guide = (REPOSITORY / "doc/source/install/index.rst").read_text()
        for unit in UNITS:
            path = Path(self.service(unit)["ExecStart"].split()[-1])
            self.assertEqual(Path("/etc/hypernetes"), path.parent, unit.name)
            self.assertIn(path.name, guide, unit.name)

    def test_no_service_of_the_control_plane_is_root(self) -> None:
        roots = {unit.stem for unit in UNITS if "User" not in self.service(unit)}
        self.assertEqual({"hypernetes-agent", "hypernetes-supervisor"}, roots)
