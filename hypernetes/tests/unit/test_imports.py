# SPDX-License-Identifier: Apache-2.0
"""What import-linter cannot know by itself: which packages are not of the standard library, and who confines which."""

import ast
import sys
import tomllib
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypernetes

PACKAGE = Path(hypernetes.__file__).parent
PROJECT = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())
CONTRACTS: list[dict[str, Any]] = PROJECT["tool"]["importlinter"]["contracts"]


def imported(directory: Path) -> Iterator[str]:
    """Yield the top-level packages that the modules below a directory import."""
    for path in directory.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
                yield node.module.partition(".")[0]


def packages() -> list[Path]:
    """Return the packages directly below ``hypernetes``, without the tests."""
    return [path for path in PACKAGE.iterdir() if (path / "__init__.py").exists() and path.name != "tests"]


def contract(name: str) -> dict[str, Any]:
    """Return the contract whose name contains ``name``."""
    (found,) = [entry for entry in CONTRACTS if name in entry["name"]]
    return found


class ImportsTest(unittest.TestCase):
    def test_the_list_of_foreign_packages_is_complete(self) -> None:
        foreign = {name for package in packages() for name in imported(package)}
        foreign -= {*sys.stdlib_module_names, "hypernetes"}
        listed = contract("the standard library only")["forbidden_modules"]
        self.assertEqual(sorted(foreign), sorted(listed))

    def test_a_library_is_confined_for_every_package_but_its_own(self) -> None:
        without = {"cni", "dashboard", "login", "osc", "sdk"}
        for name, allowed in (
            ("oslo.messaging", {"rpc"}),
            ("openstacksdk", {"openstack", "standalone"}),
            ("lightkube", {"kubernetes"}),
            ("SQLAlchemy", {"db"}),
        ):
            expected = {package.name for package in packages()} - without - allowed | {"threads"}
            sources = {module.removeprefix("hypernetes.") for module in contract(name)["source_modules"]}
            self.assertEqual(sorted(expected), sorted(sources), name)
