# SPDX-License-Identifier: Apache-2.0
import dataclasses
import pathlib
import tempfile
import unittest

from distribution.builder import component
from distribution.builder.context import Context


def build_nothing(output: pathlib.Path, context: Context) -> None:
    """Stand for a build that is never run."""


class ContentKey(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)
        (self.root / "sources").mkdir()
        (self.root / "sources" / "main.go").write_text("package main\n")
        self.component = component.Component(
            name="program", build=build_nothing, inputs=("sources",), versions=("program",), needs=("library",), go=True
        )

    def key(
        self,
        what: component.Component | None = None,
        version: str = "1",
        need: str = "a",
        go: str = "1.26",
    ) -> str:
        return component.content_key(
            what or self.component,
            self.root,
            {"program": {"version": version}, "other": {}},
            {"library": need, "another": "x"},
            go,
        )

    def test_equal_inputs_give_an_equal_key(self) -> None:
        self.assertEqual(self.key(), self.key())

    def test_every_kind_of_input_counts(self) -> None:
        first = self.key()
        self.assertNotEqual(first, self.key(version="2"))
        self.assertNotEqual(first, self.key(need="b"))
        self.assertNotEqual(first, self.key(go="1.27"))
        self.assertNotEqual(first, self.key(dataclasses.replace(self.component, name="renamed")))

    def test_content_name_and_executable_bit_of_a_file_count(self) -> None:
        seen = {self.key()}
        source = self.root / "sources" / "main.go"
        source.write_text("package main // changed\n")
        seen.add(self.key())
        source.chmod(0o755)
        seen.add(self.key())
        source.rename(source.with_name("other.go"))
        seen.add(self.key())
        self.assertEqual(4, len(seen))

    def test_compiled_python_and_hidden_files_do_not_count(self) -> None:
        first = self.key()
        (self.root / "sources" / "__pycache__").mkdir()
        (self.root / "sources" / "__pycache__" / "x.pyc").write_bytes(b"x")
        (self.root / "sources" / ".swap").write_bytes(b"x")
        self.assertEqual(first, self.key())

    def test_the_toolchain_does_not_count_where_go_compiles_nothing(self) -> None:
        plain = dataclasses.replace(self.component, go=False)
        self.assertEqual(self.key(plain, go="1.26"), self.key(plain, go="1.27"))

    def test_a_missing_input_is_an_error_and_not_an_empty_one(self) -> None:
        wrong = dataclasses.replace(self.component, inputs=("source",))
        with self.assertRaisesRegex(component.BuildError, "source"):
            self.key(wrong)
