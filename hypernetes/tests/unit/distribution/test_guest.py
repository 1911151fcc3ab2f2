# SPDX-License-Identifier: Apache-2.0
"""What a pod's virtual machine boots."""

from __future__ import annotations

import json
import pathlib
import tempfile
import unittest

from distribution.builder import guest
from distribution.builder import kernel


class InitramfsTest(unittest.TestCase):
    def test_modules_are_named_by_stage_and_order(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            for name in [name for names in guest.STAGES.values() for name in names]:
                (pathlib.Path(directory) / f"{name}.ko").write_bytes(b"\0depends=\0")
            archive = guest.initramfs(b"program", kernel.modules(pathlib.Path(directory)))
        for part in (
            b"modules/channel-00-virtio_pci.ko\0",
            b"modules/rest-00-virtio_scsi.ko\0",
            b"dev/null\0",
            b"init\0",
        ):
            self.assertIn(part, archive)


class ManifestTest(unittest.TestCase):
    def test_it_names_the_kernel_and_every_file(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            directory = pathlib.Path(name)
            (directory / "vmlinux").write_bytes(b"kernel")
            guest.write_manifest(directory, "6.1.0")
            manifest = json.loads((directory / "manifest.json").read_text())
        self.assertEqual("6.1.0", manifest["kernel"])
        self.assertEqual(["vmlinux"], list(manifest["files"]))
        self.assertEqual(6, manifest["files"]["vmlinux"]["size"])


class KernelPackageTest(unittest.TestCase):
    def test_every_input_of_the_component_exists(self) -> None:
        root = pathlib.Path(guest.__file__).resolve().parents[2]
        for name in guest.COMPONENT.inputs:
            self.assertTrue((root / name).exists(), name)
