# SPDX-License-Identifier: Apache-2.0
"""What a pod's virtual machine boots."""

from __future__ import annotations

import json
import pathlib
import tempfile
import unittest

from distribution.builder import guest
from distribution.builder import kernel


class ModulesTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name in [
            name for stages in (guest.STAGES, guest.LATER_STAGES) for names in stages.values() for name in names
        ]:
            (directory / f"{name}.ko").write_bytes(b"\0depends=\0")
        (directory / "nft_nat.ko").write_bytes(b"\0depends=nf_nat\0")
        (directory / "nft_masq.ko").write_bytes(b"\0depends=nf_nat\0")
        (directory / "nf_nat.ko").write_bytes(b"\0depends=\0")
        self.available = kernel.modules(directory)

    def test_modules_are_named_by_stage_and_order(self) -> None:
        archive = guest.initramfs(b"program", guest.staged(guest.STAGES, self.available, set()))
        for part in (
            b"modules/channel-00-virtio_pci.ko\0",
            b"modules/rest-00-virtio_scsi.ko\0",
            b"dev/null\0",
            b"init\0",
        ):
            self.assertIn(part, archive)

    def test_what_is_loaded_later_is_not_in_the_initramfs_and_comes_after_what_it_needs(self) -> None:
        loaded: set[str] = set()
        early = guest.staged(guest.STAGES, self.available, loaded)
        later = list(guest.staged(guest.LATER_STAGES, self.available, loaded))
        self.assertEqual([], [name for name in early if "nf" in name])
        self.assertLess(later.index("services-03-nf_nat.ko"), later.index("services-04-nft_nat.ko"))
        self.assertEqual(1, sum("nf_nat" in name for name in later))


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
