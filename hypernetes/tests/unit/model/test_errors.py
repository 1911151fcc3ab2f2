# SPDX-License-Identifier: Apache-2.0
"""Exceptions throughout the tree, read without being imported: their names, and what they are raised with."""

import ast
import functools
import string
from collections.abc import Iterator
from pathlib import Path

import testtools

import hypernetes
from hypernetes.model import errors

ROOT = Path(hypernetes.__file__).parent
TREES = (ROOT, ROOT.parent / "distribution")

GENERAL = frozenset({"HypernetesError", "StandaloneError", "BuildError", "CniError", "HttpError"})
"""Exceptions that say no more than that their package failed; all others are named after what happened."""


@functools.cache
def _modules() -> tuple[tuple[Path, ast.Module], ...]:
    return tuple(
        (path, ast.parse(path.read_text(), str(path)))
        for tree in TREES
        for path in sorted(tree.rglob("*.py"))
        if "tests" not in path.relative_to(tree).parts
    )


def _classes() -> Iterator[tuple[Path, ast.ClassDef]]:
    for path, module in _modules():
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef):
                yield path, node


def _name(node: ast.expr) -> str:
    """Return the last word of a dotted name."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _derived(bases: set[str]) -> dict[str, ast.ClassDef]:
    """Return the classes that derive, through others, from one of these."""
    found: dict[str, ast.ClassDef] = {}
    while True:
        known = bases | found.keys()
        more = {
            node.name: node
            for _, node in _classes()
            if node.name not in found and any(_name(base) in known for base in node.bases)
        }
        if not more:
            return found
        found |= more


class NameTest(testtools.TestCase):
    """NotFound, LeaseLost, CommandFailed; as in Nova and keystoneauth."""

    def test_an_exception_is_named_after_what_happened(self) -> None:
        exceptions = _derived({"Exception", "ValueError", "RuntimeError", "OSError", "KeyError", "TypeError"})
        self.assertIn("NotFound", exceptions)
        suffixed = {name for name in exceptions if name.endswith(("Error", "Exception"))}
        self.assertEqual(set(), suffixed - GENERAL)

    def test_no_two_exceptions_of_the_service_share_a_name(self) -> None:
        exceptions = _derived({"Exception", "ValueError"})
        # The standalone environment is a program of its own.
        names = [node.name for path, node in _classes() if node.name in exceptions and "standalone" not in path.parts]
        self.assertEqual(sorted(set(names)), sorted(names))


class TextTest(testtools.TestCase):
    """What users read."""

    def test_a_service_that_answered_is_not_said_not_to_answer(self) -> None:
        error = errors.Unavailable(service="Neutron", reason="it answered 503")
        self.assertEqual(
            "Neutron is temporarily unavailable: it answered 503. The operation is retried automatically. "
            "If this persists, ask the operator to check Neutron.",
            error.detail,
        )


class FactsTest(testtools.TestCase):
    """A missing fact would become a KeyError instead of the error that was meant."""

    def setUp(self) -> None:
        super().setUp()
        self.facts = {"HypernetesError": frozenset[str]()}
        texts = {"HypernetesError": dict[str, str]()}
        # A class comes after the one it derives from.
        for name, node in _derived({"HypernetesError"}).items():
            texts[name] = texts[_name(node.bases[0])] | dict(_texts(node))
            parsed = (string.Formatter().parse(text) for text in texts[name].values())
            self.facts[name] = frozenset(field for parts in parsed for _, field, _, _ in parts if field)

    def test_every_error_is_raised_with_exactly_the_facts_of_its_text(self) -> None:
        raised = 0
        for path, module in _modules():
            for node in ast.walk(module):
                # Horizon has exceptions of the same names.
                if not isinstance(node, ast.Call) or _name(node.func) not in self.facts or "dashboard" in path.parts:
                    continue
                if any(keyword.arg is None for keyword in node.keywords):
                    # rpc.failures builds an error from what another process sent, and handles the KeyError.
                    self.assertEqual("failures.py", path.name)
                    continue
                where = f"{path}:{node.lineno}: {_name(node.func)}"
                self.assertEqual([], node.args, where)
                self.assertEqual(self.facts[_name(node.func)], {keyword.arg for keyword in node.keywords}, where)
                raised += 1
        self.assertGreater(raised, 90)

    def test_an_error_with_facts_is_never_raised_as_a_bare_class(self) -> None:
        for path, module in _modules():
            for node in () if "dashboard" in path.parts else ast.walk(module):
                if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Name | ast.Attribute):
                    self.assertFalse(self.facts.get(_name(node.exc)), f"{path}:{node.lineno}")


def _texts(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Return the template and the remedy that an error's class has of its own."""
    for statement in node.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(statement.value, ast.Constant):
            name = _name(statement.targets[0] if isinstance(statement, ast.Assign) else statement.target)
            if name in ("template", "remedy"):
                yield name, str(statement.value.value)
