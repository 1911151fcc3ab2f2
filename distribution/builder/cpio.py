# SPDX-License-Identifier: Apache-2.0
"""Writes a cpio archive in the format that Linux accepts as an initramfs.

Written by hand, because the initramfs needs a device node, which only root could create on a
disk, and because equal inputs must produce equal bytes. Format: Documentation/driver-api/early-userspace/
buffer-format.rst of the kernel, "newc".
"""

from __future__ import annotations

import dataclasses
import stat
from collections.abc import Iterable

TRAILER = "TRAILER!!!"


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One file of the archive; ``name`` is relative to the root."""

    name: str
    mode: int
    """Type and permission bits, as in stat."""
    data: bytes = b""
    device: tuple[int, int] = (0, 0)
    """Major and minor number of a device node."""


def directory(name: str) -> Entry:
    """Return an empty directory that all users may enter."""
    return Entry(name, stat.S_IFDIR | 0o755)


def executable(name: str, data: bytes) -> Entry:
    """Return a program."""
    return Entry(name, stat.S_IFREG | 0o755, data)


def file(name: str, data: bytes) -> Entry:
    """Return a file that only root may read."""
    return Entry(name, stat.S_IFREG | 0o600, data)


def archive(entries: Iterable[Entry]) -> bytes:
    """Return the archive, uncompressed: decompression costs boot time, size does not."""
    parts = [_member(number, entry) for number, entry in enumerate(entries, start=1)]
    parts.append(_member(0, Entry(TRAILER, 0)))
    return b"".join(parts)


def _member(number: int, entry: Entry) -> bytes:
    name = entry.name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = (number, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, *entry.device, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + name) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
