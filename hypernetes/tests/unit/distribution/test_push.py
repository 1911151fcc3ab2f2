# SPDX-License-Identifier: Apache-2.0
import json
import pathlib
import tempfile
import unittest
from unittest import mock

from distribution.builder import oci
from distribution.builder import push
from distribution.builder.component import BuildError
from hypernetes.standalone.components import registry

# A stand-in for crane: a registry that is a directory, and a list of what was asked of it.
CRANE = """#!/bin/sh
echo "$@" >> {directory}/calls
[ -e {directory}/broken ] && {{ echo "connection refused" >&2; exit 1; }}
case $1 in
digest) cat {directory}/digest 2>/dev/null || {{ echo "not found" >&2; exit 1; }} ;;
esac
"""


class Targets(unittest.TestCase):
    def test_a_registry_is_named_by_host_and_port(self) -> None:
        self.assertEqual(push.Target("192.0.2.1:5001"), push.target("https://192.0.2.1:5001/", None))

    def test_other_urls_are_refused(self) -> None:
        for url in ("http://host", "host:5000", "https://", "https://host/path", "https://user:secret@host"):
            with self.subTest(url), self.assertRaises(BuildError):
                push.target(url, None)

    def test_a_missing_ca_file_is_reported_at_once(self) -> None:
        with self.assertRaisesRegex(BuildError, "no certificate"):
            push.target("https://host", pathlib.Path("/nonexistent"))


class PrivateRegistry(unittest.TestCase):
    def test_the_registry_that_takes_images_listens_on_the_given_address_only(self) -> None:
        config = push.private_registry_configuration("127.0.0.1:5001", pathlib.Path("/store"))
        self.assertEqual({"addr": "127.0.0.1:5001"}, config["http"])

    def test_it_writes_the_storage_that_the_read_only_one_serves(self) -> None:
        config = push.private_registry_configuration("127.0.0.1:5001", pathlib.Path("/store"))
        served = json.loads(registry.render(pathlib.Path("/store"), pathlib.Path("/c"), pathlib.Path("/k")))
        self.assertEqual(True, served["storage"]["maintenance"].pop("readonly")["enabled"])
        self.assertEqual(config["storage"], served["storage"])


class Pauses(unittest.TestCase):
    def test_they_grow_to_a_bound(self) -> None:
        pauses = [push.pause(number, 0.0) for number in range(8)]
        self.assertEqual(sorted(pauses), pauses)
        self.assertEqual(push.LONGEST_PAUSE, pauses[-1])

    def test_chance_makes_them_up_to_half_shorter(self) -> None:
        self.assertEqual(push.pause(3, 0.0) / 2, push.pause(3, 1.0))


class Pushing(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.tree = self.directory / "tree"
        oci.write_layouts([oci.Image("library/one:1", [{"file": oci.File(b"x")}])], self.tree / "images")
        crane = self.tree / "bin" / "crane"
        crane.parent.mkdir()
        crane.write_text(CRANE.format(directory=self.directory))
        crane.chmod(0o755)
        self.lines: list[str] = []
        for name in ("FIRST_PAUSE", "LONGEST_PAUSE"):
            patch = mock.patch.object(push, name, 0.0)
            patch.start()
            self.addCleanup(patch.stop)

    def push(self) -> None:
        push.push(self.tree, push.Target("192.0.2.1:5001"), self.lines.append)

    def calls(self) -> list[str]:
        return [line.split()[0] for line in (self.directory / "calls").read_text().splitlines()]

    def test_an_absent_image_is_pushed(self) -> None:
        self.push()
        self.assertEqual(["digest", "push"], self.calls())
        self.assertIn("pushed", self.lines[0])

    def test_a_present_image_is_only_asked_for(self) -> None:
        _, digest = oci.reference_and_digest(self.tree / "images" / "library" / "one")
        (self.directory / "digest").write_text(digest)
        self.push()
        self.assertEqual(["digest"], self.calls())
        self.assertIn("present", self.lines[0])

    def test_another_image_under_the_name_is_replaced(self) -> None:
        (self.directory / "digest").write_text("sha256:0")
        self.push()
        self.assertEqual(["digest", "push"], self.calls())

    def test_a_failure_is_retried_and_then_told(self) -> None:
        (self.directory / "broken").touch()
        with self.assertRaisesRegex(BuildError, "library/one:1: connection refused"):
            self.push()
        self.assertEqual(push.ATTEMPTS, self.calls().count("push"))

    def test_a_tree_without_images_is_told(self) -> None:
        with self.assertRaisesRegex(BuildError, "no images"):
            push.layouts(self.directory / "nothing")

    def test_the_layout_carries_its_reference(self) -> None:
        index = json.loads((self.tree / "images" / "library" / "one" / "index.json").read_text())
        self.assertEqual("library/one:1", index["manifests"][0]["annotations"][oci.REFERENCE_ANNOTATION])
