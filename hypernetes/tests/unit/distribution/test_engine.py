# SPDX-License-Identifier: Apache-2.0
import pathlib
import tempfile
import threading
import unittest

from distribution.builder import engine
from distribution.builder.cache import Cache
from distribution.builder.component import BuildError
from distribution.builder.component import Component
from distribution.builder.context import Context
from distribution.builder.toolchain import Go
from distribution.builder.tree import Tree


def component(name: str, *needs: str) -> Component:
    """Give a component whose result names what it was made from."""

    def build(output: pathlib.Path, context: Context) -> None:
        parts = [(context.result(need) / need).read_text() for need in needs]
        (output / name).write_text(f"{name}({','.join(parts)})")

    return Component(name=name, build=build, needs=needs)


def no_go() -> Go:
    raise AssertionError("nothing here asks for Go")


class Order(unittest.TestCase):
    def test_needs_come_first_and_once(self) -> None:
        parts = [component("top", "left", "right"), component("left", "base"), component("right", "base")]
        ordered = engine.build_order([*parts, component("base")], ["top"])
        self.assertEqual(["base", "left", "right", "top"], [part.name for part in ordered])

    def test_only_what_is_wanted_and_needed_is_there(self) -> None:
        ordered = engine.build_order([component("one"), component("two")], ["two"])
        self.assertEqual(["two"], [part.name for part in ordered])

    def test_a_circle_is_named(self) -> None:
        with self.assertRaisesRegex(BuildError, "one → two → one"):
            engine.build_order([component("one", "two"), component("two", "one")], ["one"])

    def test_an_unknown_name_is_answered_with_the_known_ones(self) -> None:
        with self.assertRaisesRegex(BuildError, "one, two"):
            engine.build_order([component("one"), component("two")], ["three"])


class Running(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.lines: list[str] = []

    def run_engine(self, *components: Component, jobs: int = 2) -> None:
        engine.Engine(
            root=self.directory,
            cache=Cache(self.directory / "cache"),
            tree=Tree(self.directory / "tree"),
            versions={},
            go=no_go,
            report=self.lines.append,
            jobs=jobs,
        ).run(components)

    def reported(self) -> list[tuple[str, str]]:
        return [(line.split()[0], line.split()[1]) for line in self.lines]

    def test_results_are_handed_on_and_published(self) -> None:
        self.run_engine(component("base"), component("top", "base"))
        self.assertEqual("top(base())", (self.directory / "tree" / "top").read_text())

    def test_a_second_run_builds_nothing(self) -> None:
        self.run_engine(component("base"))
        self.run_engine(component("base"))
        self.assertEqual([("base", "built"), ("base", "unchanged")], self.reported())

    def test_a_failure_names_its_component_and_keeps_what_was_done(self) -> None:
        def fail(_output: pathlib.Path, _context: Context) -> None:
            raise BuildError("the disk is full")

        broken = Component(name="broken", build=fail, needs=("base",))
        with self.assertRaisesRegex(BuildError, "broken: the disk is full"):
            self.run_engine(component("base"), broken)
        self.run_engine(component("base"), component("broken", "base"))
        self.assertEqual(
            [("base", "built"), ("broken", "failed"), ("base", "unchanged"), ("broken", "built")], self.reported()
        )

    def test_trouble_with_a_file_is_told_like_any_failure(self) -> None:
        def fail(_output: pathlib.Path, _context: Context) -> None:
            raise OSError(28, "No space left on device")

        with self.assertRaisesRegex(BuildError, "full: .*No space left"):
            self.run_engine(Component(name="full", build=fail))

    def test_independent_components_are_built_at_the_same_time(self) -> None:
        meeting = threading.Barrier(2, timeout=10)

        def meet(_output: pathlib.Path, _context: Context) -> None:
            meeting.wait()

        self.run_engine(Component(name="one", build=meet), Component(name="two", build=meet))
        self.assertEqual({"one", "two"}, {name for name, _ in self.reported()})

    def test_a_result_that_only_serves_others_is_not_published(self) -> None:
        def build(output: pathlib.Path, _context: Context) -> None:
            (output / "private").write_text("x")

        self.run_engine(Component(name="private", build=build, published=False))
        self.assertFalse((self.directory / "tree" / "private").exists())

    def test_reading_what_is_not_declared_is_an_error(self) -> None:
        def build(_output: pathlib.Path, context: Context) -> None:
            context.result("base")

        with self.assertRaisesRegex(BuildError, "not listed in needs"):
            self.run_engine(component("base"), Component(name="careless", build=build), jobs=1)
