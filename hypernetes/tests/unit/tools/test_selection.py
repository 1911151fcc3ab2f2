# SPDX-License-Identifier: Apache-2.0
import re
from pathlib import Path

import testtools

from tools.tiers import selection

TIERS = ("lint", "unit", "go")


class TiersTest(testtools.TestCase):
    def test_without_words_all_tiers_run(self) -> None:
        self.assertEqual({"lint": [], "unit": [], "go": []}, selection.by_tier([], TIERS))

    def test_without_words_a_long_tier_runs_its_quick_part(self) -> None:
        selected = selection.by_tier([], TIERS, {"go": ["quick"]})
        self.assertEqual({"lint": [], "unit": [], "go": ["quick"]}, selected)
        self.assertEqual({"go": []}, selection.by_tier(["go"], TIERS, {"go": ["quick"]}))

    def test_words_after_a_tier_are_names_of_its_tests(self) -> None:
        selected = selection.by_tier(["unit", "osc", "api.policy", "lint", "mypy"], TIERS)
        self.assertEqual({"unit": ["osc", "api.policy"], "lint": ["mypy"]}, selected)

    def test_a_tier_named_twice_runs_once(self) -> None:
        self.assertEqual({"unit": ["osc", "api"]}, selection.by_tier(["unit", "osc", "unit", "api"], TIERS))

    def test_the_first_word_must_be_a_tier(self) -> None:
        error = self.assertRaises(ValueError, selection.by_tier, ["osc"], TIERS)
        self.assertEqual("no tier osc; there are lint, unit, go", str(error))


class NamesTest(testtools.TestCase):
    MODULE = "hypernetes.tests.unit.conductor.test_namespaces"
    METHOD = f"{MODULE}.CreationTest.test_it_is_made"

    def means(self, name: str, test: str) -> bool:
        """Whether stestr, which searches, would run the test for this name."""
        return re.search(selection.pattern("unit", name), test) is not None

    def test_a_package_module_class_and_method(self) -> None:
        for name in (
            "conductor",
            "conductor.namespaces",
            "conductor.test_namespaces",
            "conductor.namespaces.CreationTest",
            "conductor.test_namespaces.CreationTest.test_it_is_made",
        ):
            self.assertTrue(self.means(name, self.METHOD), name)

    def test_a_path_of_the_module_or_of_its_tests(self) -> None:
        for name in (
            "conductor/namespaces",
            "hypernetes/conductor/namespaces.py",
            "hypernetes/tests/unit/conductor/test_namespaces.py",
            "hypernetes/conductor/",
            "hypernetes.tests.unit.conductor",
        ):
            self.assertTrue(self.means(name, self.METHOD), name)

    def test_a_module_that_became_a_package(self) -> None:
        self.assertTrue(
            self.means("conductor.namespaces", "hypernetes.tests.unit.conductor.namespaces.test_steps.A.test_b")
        )

    def test_a_name_is_no_prefix_and_no_part(self) -> None:
        for name in ("conduct", "namespaces", "conductor.name"):
            self.assertFalse(self.means(name, self.METHOD), name)

    def test_only_the_directory_with_the_named_tests_is_searched(self) -> None:
        root = Path(__file__).parents[4]
        unit = root / "hypernetes/tests/unit"
        for names, found in (
            ([], unit),
            (["tools"], unit / "tools"),
            (["tools.selection.NamesTest"], unit / "tools"),
            (["tools.selection", "hypernetes/tools/test_help.py"], unit / "tools"),
            (["tools.selection", "osc"], unit),
        ):
            self.assertEqual(found, selection.directory(root, "unit", names))
