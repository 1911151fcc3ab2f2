# SPDX-License-Identifier: Apache-2.0
import hashlib
import io
import json
import pathlib
import tarfile
import tempfile
import unittest
from typing import Any

from distribution.builder import oci

LAYER: dict[str, oci.Entry] = {
    "usr/bin/program": oci.File(b"binary", 0o755),
    "tmp": oci.Directory(0o1777),
    "bin": oci.Link("usr/bin"),
}


def layer_bytes(entries: dict[str, oci.Entry]) -> bytes:
    stream = io.BytesIO()
    oci.write_layer(entries, stream)
    return stream.getvalue()


class Layer(unittest.TestCase):
    def test_equal_entries_give_equal_bytes_in_any_order(self) -> None:
        backwards = dict(reversed(LAYER.items()))
        self.assertEqual(layer_bytes(LAYER), layer_bytes(backwards))

    def test_directories_above_come_before_what_they_hold(self) -> None:
        names = list(oci.with_parents(LAYER))
        self.assertEqual(["bin", "tmp", "usr", "usr/bin", "usr/bin/program"], names)

    def test_a_named_directory_keeps_its_mode(self) -> None:
        entries: dict[str, oci.Entry] = {"root": oci.Directory(0o700), "root/file": oci.File(b"")}
        self.assertEqual(oci.Directory(0o700), oci.with_parents(entries)["root"])

    def test_members_belong_to_root_and_carry_no_time(self) -> None:
        with tarfile.open(fileobj=io.BytesIO(layer_bytes(LAYER))) as archive:
            members = archive.getmembers()
        self.assertEqual({(0, 0, 0, "", "")}, {(m.uid, m.gid, m.mtime, m.uname, m.gname) for m in members})

    def test_a_file_of_the_machine_has_the_content_but_not_the_mode(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            source = pathlib.Path(directory) / "source"
            source.write_bytes(b"binary")
            source.chmod(0o600)
            from_file = layer_bytes({"program": oci.File(source, 0o755)})
        self.assertEqual(layer_bytes({"program": oci.File(b"binary", 0o755)}), from_file)


class Layout(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def blob(self, layout: pathlib.Path, digest: str) -> bytes:
        return (layout / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()

    def document(self, layout: pathlib.Path, digest: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.blob(layout, digest))
        return document

    def test_every_blob_is_named_by_its_content(self) -> None:
        oci.write_layouts([oci.Image("one:1", [LAYER], command=["sh"])], self.directory)
        for blob in (self.directory / "one" / "blobs" / "sha256").iterdir():
            self.assertEqual(blob.name, hashlib.sha256(blob.read_bytes()).hexdigest())

    def test_the_index_leads_to_the_layers(self) -> None:
        oci.write_layouts([oci.Image("library/one:latest", [LAYER])], self.directory)
        layout = self.directory / "library" / "one"
        reference, digest = oci.reference_and_digest(layout)
        manifest = self.document(layout, digest)
        layer = manifest["layers"][0]
        self.assertEqual("library/one:latest", reference)
        self.assertEqual(layer["size"], len(self.blob(layout, layer["digest"])))
        self.assertEqual([layer["digest"]], self.document(layout, manifest["config"]["digest"])["rootfs"]["diff_ids"])
        self.assertEqual([layer["digest"]], oci.layer_digests(layout))

    def test_an_archive_of_another_program_is_the_lowest_layer(self) -> None:
        content = layer_bytes({"bin/sh": oci.File(b"shell")})
        archive = self.directory / "root.tar"
        archive.write_bytes(content)
        oci.write_layout_of_archive(oci.Image("library/one:1", [LAYER]), archive, self.directory)
        layout = self.directory / "library" / "one"
        _reference, digest = oci.reference_and_digest(layout)
        layers = [self.blob(layout, layer["digest"]) for layer in self.document(layout, digest)["layers"]]
        self.assertEqual([content, layer_bytes(LAYER)], layers)

    def test_the_process_is_described(self) -> None:
        image = oci.Image("one:1", [LAYER], entrypoint=["/program"], command=["serve"], user="65535")
        process = oci.config(image, [], "amd64")["config"]
        self.assertEqual((["/program"], ["serve"], "65535"), (process["Entrypoint"], process["Cmd"], process["User"]))

    def test_a_shared_layer_is_stored_once(self) -> None:
        oci.write_layouts([oci.Image("one:1", [LAYER]), oci.Image("two:1", [LAYER])], self.directory)
        digest = hashlib.sha256(layer_bytes(LAYER)).hexdigest()
        first, second = (self.directory / name / "blobs" / "sha256" / digest for name in ("one", "two"))
        self.assertTrue(first.samefile(second))
