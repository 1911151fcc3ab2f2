# SPDX-License-Identifier: Apache-2.0
"""Taking a distribution kernel apart."""

from __future__ import annotations

import pathlib
import struct
import tempfile
import unittest

from distribution.builder import kernel
from distribution.builder.component import BuildError


def image(payload: bytes, setup_sectors: int = 1) -> bytes:
    """Give the skeleton of a bzImage with this payload 16 bytes into its kernel part."""
    head = bytearray((setup_sectors + 1) * 512 + 16)
    head[0x1F1] = setup_sectors
    struct.pack_into("<II", head, 0x248, 16, len(payload))
    return bytes(head) + payload + b"what follows"


def module(depends: str) -> bytes:
    """Give what a module file says of its dependencies."""
    return b"\x7fELF license=GPL\0depends=" + depends.encode() + b"\0intree=Y\0"


class PayloadTest(unittest.TestCase):
    def test_the_payload_ends_before_the_size_that_the_build_appends(self) -> None:
        compressed = kernel.LZ4_MAGIC + b"blocks"
        self.assertEqual(compressed, kernel.compressed_payload(image(compressed + b"size", setup_sectors=3)))

    def test_another_compression_is_refused(self) -> None:
        with self.assertRaisesRegex(BuildError, "LZ4"):
            kernel.compressed_payload(image(b"\x1f\x8b gzip" + b"size"))


class SignatureTest(unittest.TestCase):
    def test_a_signature_is_cut_off(self) -> None:
        signed = b"module" + b"s" * 300 + bytes(8) + (300).to_bytes(4, "big") + kernel.SIGNATURE_MAGIC
        self.assertEqual(b"module", kernel.without_signature(signed))

    def test_an_unsigned_module_stays(self) -> None:
        self.assertEqual(b"module", kernel.without_signature(b"module"))


class LoadingOrderTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        root = pathlib.Path(directory.name)
        for name, depends in {
            "net-failover": "failover",
            "failover": "",
            "virtio_net": "net_failover,virtio",
            "virtio": "",
        }.items():
            (root / f"{name}.ko").write_bytes(module(depends))
        self.available = kernel.modules(root)

    def test_a_module_comes_after_what_it_needs(self) -> None:
        order = kernel.in_loading_order(["virtio_net"], self.available, set())
        self.assertEqual(["failover", "net_failover", "virtio", "virtio_net"], order)

    def test_what_an_earlier_stage_loaded_is_left_out(self) -> None:
        loaded: set[str] = set()
        self.assertEqual(["virtio"], kernel.in_loading_order(["virtio"], self.available, loaded))
        self.assertNotIn("virtio", kernel.in_loading_order(["virtio_net"], self.available, loaded))

    def test_a_module_that_is_not_there_is_named(self) -> None:
        with self.assertRaisesRegex(BuildError, "virtio_fs"):
            kernel.in_loading_order(["virtio_fs"], self.available, set())
