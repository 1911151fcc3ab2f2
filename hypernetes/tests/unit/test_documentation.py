# SPDX-License-Identifier: Apache-2.0
"""The documentation and the tree agree: on the admission rules that exist, and on the files that exist."""

import re
import tomllib
from pathlib import Path

import testtools

from hypernetes.kubernetes.admission import access
from hypernetes.kubernetes.admission import resources
from hypernetes.kubernetes.admission import workloads

REPOSITORY = Path(__file__).parents[3]
PAGE = REPOSITORY / "doc/source/user/index.rst"
_RULE = re.compile(r"hypernetes/([a-z-]+): ")


def admission_rules() -> set[str]:
    """Return the names of all admission rules, without their prefix."""
    rules: set[str] = set()
    for policy in (*workloads.policies(), *resources.policies("10.96.0.0/12"), *access.policies()):
        spec = getattr(policy, "spec", None)
        for validation in getattr(spec, "validations", None) or ():
            rules |= set(_RULE.findall(validation.message or ""))
    return rules


class RulesTest(testtools.TestCase):
    """The page for users names every admission rule there is, and no other."""

    def test_every_rule_has_a_line(self) -> None:
        rules = admission_rules()
        table = set(re.findall(r"^``([a-z-]+)`` +\S", PAGE.read_text(), re.MULTILINE))
        self.assertEqual(rules, table - {"reader", "member", "manager"})
        self.assertGreater(len(rules), 20)


_LITERAL = re.compile(r"``([^`\s]+)``")
_PLACEHOLDER = re.compile(r"<[^>]*>")
_TOP = ("api-ref", "devstack", "distribution", "doc", "etc", "hypernetes", "releasenotes", "runtime", "tools")
_SOURCES = (".py", ".go", ".proto", ".rst", ".toml", ".yaml", ".ini")
_ELSEWHERE = frozenset({"clouds.yaml", "kubeadm.yaml", "policy.yaml", "secure.yaml"})
"""Files of users and of deployments. A page that names another one adds it here."""


def named_paths(text: str) -> set[str]:
    """Return what a page calls a path of this repository.

    That is a literal that begins with a directory of the repository's top (``hypernetes/cni/main.py``,
    ``hypernetes/conf/<group>.py``), or one that ends like a source file (``test_failures.py``).
    """
    words = {word.rstrip("/") for word in _LITERAL.findall(text) if not word.startswith(("/", "-", "http", "."))}
    return {word for word in words if word.startswith(tuple(f"{top}/" for top in _TOP)) or word.endswith(_SOURCES)}


def exists(path: str, files: set[str]) -> bool:
    """Whether a path named in a page exists; a placeholder in angle brackets stands for any name."""
    pattern = re.escape(_PLACEHOLDER.sub("\0", path)).replace("\0", "[^/]+")
    # Below the top a path may be shortened from the left: ``guest/disk/disk.go``.
    return any(re.search(rf"(?:^|/){pattern}(?:$|/)", name) for name in files)


class PathsTest(testtools.TestCase):
    """Every file and directory that a page names is in the tree."""

    def setUp(self) -> None:
        super().setUp()
        tops = [path for path in REPOSITORY.iterdir() if not path.name.startswith(".")]
        walked = [path for top in tops for path in (top.rglob("*") if top.is_dir() else (top,))]
        self.files = {str(path.relative_to(REPOSITORY)) for path in walked if path.is_file()}
        self.pages = sorted((REPOSITORY / "doc/source").rglob("*.rst")) + sorted(REPOSITORY.glob("*.rst"))

    def test_every_path_that_a_page_names_exists(self) -> None:
        # A refusal names its rule as a path would be written: hypernetes/host-namespaces.
        known = _ELSEWHERE | {f"hypernetes/{rule}" for rule in admission_rules()}
        missing = {
            f"{page.relative_to(REPOSITORY)}: {path}"
            for page in self.pages
            for path in named_paths(page.read_text()) - known
            if not exists(path, self.files)
        }
        self.assertEqual(set(), missing)

    def test_paths_are_found_in_the_pages(self) -> None:
        page = REPOSITORY / "doc/source/contributor/pod-network.rst"
        self.assertIn("hypernetes/cni/main.py", named_paths(page.read_text()))

    def test_a_path_that_is_not_there_is_noticed(self) -> None:
        self.assertTrue(exists("hypernetes/conf/<group>.py", self.files))
        self.assertTrue(exists("unit/test_documentation.py", self.files))
        for wrong in ("hypernetes/conf/<group>/no.py", "test_of_nothing.py", "documentation.py"):
            self.assertFalse(exists(wrong, self.files), wrong)


class LayersTest(testtools.TestCase):
    """The page on the architecture describes the packages in the order of the contract that import-linter checks."""

    def test_the_layers_are_in_the_order_of_the_contract(self) -> None:
        contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
        layers = next(contract["layers"] for contract in contracts if contract.get("containers") == ["hypernetes"])
        page = (REPOSITORY / "doc/source/contributor/architecture.rst").read_text()
        terms = re.findall(r"^``hypernetes/.*``$", page, re.MULTILINE)
        described = [name for term in terms for name in re.findall(r"hypernetes/([a-z]+)(?:\.py)?``", term)]
        position = {name: number for number, layer in enumerate(layers) for name in layer.split(" | ")}
        found = [name for name in described if name in position]
        self.assertEqual(set(position), set(found))
        self.assertEqual(sorted(found, key=position.__getitem__), found)


_TEST_NAME = re.compile(r"``(unit|functional|isolation|runtime) ([^`\s]+)``")


def place_of_test(tier: str, name: str) -> Path:
    """Return the file or directory of a test that a page names as ``tools/test`` does."""
    if tier == "runtime":
        return REPOSITORY / "runtime/internal" / name
    base = REPOSITORY / "hypernetes/tests" / tier / name.replace(".", "/")
    return base if base.is_dir() else base.with_suffix(".py")


class ThreatsTest(testtools.TestCase):
    """The page about threats names a test that exists for every one of them."""

    page = (REPOSITORY / "doc/source/admin/security.rst").read_text()

    def test_every_row_names_a_test(self) -> None:
        rows = re.split(r"^   \* - ", self.page, flags=re.MULTILINE)[1:]
        threats = [row for row in rows if not row.startswith("could try to")]
        self.assertGreater(len(threats), 20)
        self.assertEqual([], [row for row in threats if not _TEST_NAME.search(" ".join(row.split()))])

    def test_every_test_that_it_names_exists(self) -> None:
        named = _TEST_NAME.findall(" ".join(self.page.split()))
        self.assertEqual([], [name for name in named if not place_of_test(*name).exists()])
        self.assertFalse(place_of_test("unit", "no.such_test").exists())
