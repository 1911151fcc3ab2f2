# SPDX-License-Identifier: Apache-2.0
"""Unpacks a distribution kernel: the uncompressed image, and the modules in loading order."""

from __future__ import annotations

import pathlib
import re
import struct
from collections.abc import Iterable
from collections.abc import Mapping

from distribution.builder.component import BuildError

# Of the legacy frame (lz4_Frame_format.md), which the kernel's build uses.
LZ4_MAGIC = b"\x02\x21\x4c\x18"
# include/linux/module_signature.h: the signature, 12 bytes that end with its length, the magic.
SIGNATURE_MAGIC = b"~Module signature appended~\n"
SIGNATURE_HEADER = 12


def compressed_payload(image: bytes) -> bytes:
    """Return the compressed kernel of a bzImage.

    Where it lies is said in the header (Documentation/arch/x86/boot.rst, since 2.08).

    :raises BuildError: when the kernel is not compressed with LZ4.
    """
    setup_sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    # The kernel's build appends the uncompressed size, four bytes that are not LZ4's.
    payload = image[start : start + length - 4]
    if not payload.startswith(LZ4_MAGIC):
        raise BuildError("the kernel is not compressed with LZ4; choose another in versions.toml")
    return payload


def without_signature(module: bytes) -> bytes:
    """Return a module without its signature, whose check costs boot time.

    What the guest loads comes from an initramfs that the host gives; who could change
    that could change the kernel as well.
    """
    if not module.endswith(SIGNATURE_MAGIC):
        return module
    end = len(module) - len(SIGNATURE_MAGIC)
    length = int.from_bytes(module[end - 4 : end], "big")
    return module[: end - SIGNATURE_HEADER - length]


def dependencies(module: bytes) -> list[str]:
    """Return the names of the modules that this one needs, as its modinfo section says."""
    found = re.search(rb"\0depends=([^\0]*)\0", module)
    return [name.replace("-", "_") for name in found.group(1).decode().split(",") if name] if found else []


def in_loading_order(wanted: Iterable[str], available: Mapping[str, pathlib.Path], loaded: set[str]) -> list[str]:
    """Return ``wanted`` and what they need, each after what it needs, without ``loaded``.

    What is given is added to ``loaded``.

    :raises BuildError: when the kernel does not have a module.
    """
    order: list[str] = []

    def visit(name: str) -> None:
        if name in loaded:
            return
        if name not in available:
            raise BuildError(f"the kernel has no module {name}")
        loaded.add(name)
        for needed in dependencies(available[name].read_bytes()):
            visit(needed)
        order.append(name)

    for name in wanted:
        visit(name)
    return order


def modules(root: pathlib.Path) -> dict[str, pathlib.Path]:
    """Return the modules below an unpacked kernel package by name."""
    return {file.name.removesuffix(".ko").replace("-", "_"): file for file in root.rglob("*.ko")}
