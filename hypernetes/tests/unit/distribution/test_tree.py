# SPDX-License-Identifier: Apache-2.0
import concurrent.futures
import pathlib
import tempfile
import unittest

from distribution.builder import tree


class Publishing(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.tree = tree.Tree(self.directory / "tree")

    def result(self, name: str, files: dict[str, str]) -> pathlib.Path:
        result = self.directory / name
        for path, content in files.items():
            (result / path).parent.mkdir(parents=True, exist_ok=True)
            (result / path).write_text(content)
        return result

    def test_files_and_links_arrive(self) -> None:
        result = self.result("one", {"bin/program": "x"})
        (result / "bin" / "alias").symlink_to("program")
        self.tree.publish("program", "one", result)
        self.assertEqual("x", (self.tree.directory / "bin" / "alias").read_text())
        self.assertTrue(self.tree.holds("program", "one"))

    def test_another_key_is_not_held(self) -> None:
        self.tree.publish("program", "one", self.result("one", {"bin/program": "x"}))
        self.assertFalse(self.tree.holds("program", "two"))

    def test_a_result_with_a_file_removed_by_hand_is_not_held(self) -> None:
        self.tree.publish("program", "one", self.result("one", {"bin/program": "x"}))
        (self.tree.directory / "bin" / "program").unlink()
        self.assertFalse(self.tree.holds("program", "one"))

    def test_an_open_file_keeps_its_content_when_it_is_replaced(self) -> None:
        self.tree.publish("program", "one", self.result("one", {"bin/program": "old"}))
        with (self.tree.directory / "bin" / "program").open() as running:
            self.tree.publish("program", "two", self.result("two", {"bin/program": "new"}))
            self.assertEqual("old", running.read())
        self.assertEqual("new", (self.tree.directory / "bin" / "program").read_text())

    def test_what_the_new_result_lacks_goes_away_and_others_stay(self) -> None:
        self.tree.publish("other", "one", self.result("other", {"bin/other": "x"}))
        self.tree.publish("program", "one", self.result("one", {"bin/program": "x", "bin/extra": "x"}))
        self.tree.publish("program", "two", self.result("two", {"bin/program": "x"}))
        names = sorted(file.name for file in (self.tree.directory / "bin").iterdir())
        self.assertEqual(["other", "program"], names)

    def test_a_damaged_record_costs_only_work(self) -> None:
        self.tree.publish("program", "one", self.result("one", {"bin/program": "x"}))
        (self.tree.directory / tree.RECORD).write_text("{")
        self.assertFalse(self.tree.holds("program", "one"))
        self.tree.publish("program", "one", self.directory / "one")
        self.assertTrue(self.tree.holds("program", "one"))

    def test_builders_of_one_tree_do_not_disturb_each_other(self) -> None:
        results = {name: self.result(name, {f"bin/{name}": "x"}) for name in map(str, range(40))}
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            # Each with a tree object of its own, as another process would have.
            for publishing in [
                pool.submit(tree.Tree(self.tree.directory).publish, name, "one", result)
                for name, result in results.items()
            ]:
                publishing.result()
        self.assertEqual([], [name for name in results if not self.tree.holds(name, "one")])
