# SPDX-License-Identifier: Apache-2.0
"""Each extra of pyproject.toml requires what its packages import, and nothing else."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path

import testtools

REPOSITORY = Path(__file__).parents[3]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())

CLIENT = "client"
SHIPS: dict[str, tuple[str, ...]] = {
    # the base install, or an extra: the packages and modules that work with it alone
    CLIENT: ("osc", "sdk", "login"),
    "api": ("api", "auth", "wsgi"),
    "conductor": ("conductor", "cmd.conductor", "cmd.manage", "cmd.status", "db"),
    "agent": ("agent", "cni", "cmd.agent"),
    "csi": ("csi", "cmd.csi"),
    "dashboard": ("dashboard",),
    "standalone": ("standalone",),
}
NOT_IMPORTED = {
    "keystone": "a service of the quickstart",
    "neutron": "a service of the quickstart",
    "pymemcache": "memcached's client of the quickstart's services",
    "pymysql": "the driver that [database] connection names",
    "python-memcached": "memcached's client of keystonemiddleware",
    "python-openstackclient": "the command whose plugin this is",
    "supervisor": "the quickstart's and the agent's process manager",
}


def normalized(name: str) -> str:
    """Return a distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def required(requirements: Iterable[str]) -> set[str]:
    """Return the names of the distributions in requirements, with those that extras of hypernetes itself require."""
    names = set()
    for requirement in requirements:
        name, extras = re.findall(r"^([\w.-]+)(?:\[([\w,]+)\])?", requirement)[0]
        if name == "hypernetes":
            for extra in extras.split(","):
                names |= required(PROJECT["project"]["optional-dependencies"][extra])
        else:
            names.add(normalized(name))
    return names


def installed_with(extra: str) -> set[str]:
    """Return the distributions that the base install requires, and an extra besides."""
    extras = PROJECT["project"]["optional-dependencies"]
    return required([*PROJECT["project"]["dependencies"], *extras.get(extra, ())])


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


@cache
def modules() -> dict[str, Path]:
    """Return all modules of hypernetes but its tests."""
    found = {name_of(path): path for path in (REPOSITORY / "hypernetes").rglob("*.py")}
    return {name: path for name, path in found.items() if not name.startswith("hypernetes.tests")}


@cache
def imports(path: Path) -> frozenset[str]:
    """Return the dotted names that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def reached(names: Iterable[str]) -> set[str]:
    """Return the modules of hypernetes that importing packages or modules imports, directly or not."""
    todo = [module for module in modules() for name in names if f"{module}.".startswith(f"hypernetes.{name}.")]
    seen: set[str] = set()
    while todo:
        module = todo.pop()
        if module not in seen:
            seen.add(module)
            todo += [name for name in imports(modules()[module]) if name in modules()]
            todo += [parent for parent in [module.rpartition(".")[0]] if parent]
    return seen


def foreign(paths: Iterable[Path]) -> set[str]:
    """Return the packages of others that files import, without the standard library's."""
    top = {name.partition(".")[0] for path in paths for name in imports(path)}
    return top - sys.stdlib_module_names - {"hypernetes", "distribution", "tools"}


def imported_by(extra: str) -> set[str]:
    """Return the packages of others that an extra's packages import."""
    return foreign(modules()[name] for name in reached(SHIPS[extra]))


@cache
def distributions(package: str) -> frozenset[str]:
    """Return the distributions that hold an importable package; lightkube's is in two."""
    return frozenset(map(normalized, metadata.packages_distributions().get(package, [package])))


def not_from(packages: Iterable[str], required_distributions: set[str]) -> set[str]:
    """Return the packages that none of the distributions holds."""
    return {package for package in packages if required_distributions.isdisjoint(distributions(package))}


def all_of(packages: Iterable[str]) -> set[str]:
    """Return the distributions that hold any of the packages."""
    return set().union(*map(distributions, packages))


class RequirementsTest(testtools.TestCase):
    def test_what_is_imported_is_required(self) -> None:
        for extra in SHIPS:
            self.assertEqual(set(), not_from(imported_by(extra), installed_with(extra)), extra)

    def test_what_is_required_is_imported(self) -> None:
        base = installed_with(CLIENT)
        self.assertEqual(set(), base - all_of(imported_by(CLIENT)) - NOT_IMPORTED.keys())
        for extra in SHIPS.keys() - {CLIENT, "standalone"}:
            own = required(PROJECT["project"]["optional-dependencies"][extra])
            self.assertEqual(set(), own - all_of(imported_by(extra)) - NOT_IMPORTED.keys(), extra)

    def test_what_need_not_be_imported_is_required_somewhere(self) -> None:
        self.assertEqual(set(), NOT_IMPORTED.keys() - installed_with("standalone"))

    def test_every_module_is_shipped_by_something(self) -> None:
        shipped = set().union(*(reached(names) for names in SHIPS.values()))
        lazily = {name for name in modules() if name.startswith("hypernetes.conf.")}
        self.assertEqual(set(), modules().keys() - shipped - lazily)

    def test_the_tests_require_what_they_import(self) -> None:
        tests = foreign((REPOSITORY / "hypernetes/tests").rglob("*.py"))
        everything = (
            installed_with("standalone") | installed_with("dashboard") | required(PROJECT["dependency-groups"]["test"])
        )
        self.assertEqual(set(), not_from(tests, everything))

    def test_what_the_panels_read_is_installed_with_them(self) -> None:
        package = REPOSITORY / "hypernetes/dashboard"
        data = {path for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
        patterns = PROJECT["tool"]["setuptools"]["package-data"]
        self.assertEqual(data, {path for one in patterns["hypernetes.dashboard"] for path in package.glob(one)})
        self.assertGreater(len(data), 5)

    def test_each_version_is_pinned_once(self) -> None:
        lines = (REPOSITORY / "hypernetes/standalone/constraints.txt").read_text().splitlines()
        pins = [normalized(line.partition("==")[0]) for line in lines if not line.startswith("#")]
        self.assertEqual(len(set(pins)), len(pins))
        groups = [name for group in PROJECT["dependency-groups"].values() for name in required(group)]
        everything = {*groups}.union(*map(installed_with, ("standalone", "dashboard", "cinder")))
        self.assertEqual(set(), everything - set(pins))


class StandardLibraryTest(testtools.TestCase):
    def test_the_login_helper_and_the_cni_plugin_need_no_package(self) -> None:
        # Without site-packages, so that importing anything else fails.
        script = "import hypernetes.login, hypernetes.login.helper, hypernetes.cni.main"
        done = subprocess.run(
            [sys.executable, "-S", "-c", script],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual((0, ""), (done.returncode, done.stderr))
