# SPDX-License-Identifier: Apache-2.0
"""Images of many layers, made from busybox and put where the nodes of the standalone environment pull from."""

import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from distribution.builder import oci
from distribution.builder import push
from hypernetes.standalone.layout import Layout

BUSYBOX = "library/busybox"
MARKS = "marks"
"""The directory of an image in which each layer above busybox's leaves a file that has its number as its name."""


def name(layers: int) -> str:
    """Return the reference of the image that has so many layers, as a pod's specification can have it."""
    return f"library/layers-{layers}:latest"


def provide(layout: Layout, counts: tuple[int, ...]) -> None:
    """Build an image for each number of layers and put it into the registry's store.

    :raises BuildError: when the registry does not take one.
    """
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory) / "tree"
        base = [_entries(blob) for blob in _layers(layout)]
        images = [oci.Image(name(count), [*base, *_marks(len(base), count)], command=["sh"]) for count in counts]
        oci.write_layouts(images, tree / "images")
        (tree / "bin").symlink_to(layout.dist / "bin")
        push.fill_store(tree, layout.service("registry") / "store", lambda _: None)


def _marks(lowest: int, count: int) -> list[dict[str, oci.Entry]]:
    """Return the layers above the base; the image's number of layers is in them, so that no two images share one."""
    return [{f"{MARKS}/{number}": oci.File(f"{number} of {count}\n".encode())} for number in range(lowest, count)]


def _layers(layout: Layout) -> list[Path]:
    """Return busybox's layers, lowest first."""
    kept = layout.dist / "images" / BUSYBOX
    return [kept / "blobs" / "sha256" / digest.removeprefix("sha256:") for digest in oci.layer_digests(kept)]


def _entries(archive: Path) -> Mapping[str, oci.Entry]:
    """Read a layer."""
    entries: dict[str, oci.Entry] = {}
    with tarfile.open(archive) as layer:
        for member in layer.getmembers():
            if member.isdir():
                entries[member.name] = oci.Directory(member.mode)
            elif member.issym():
                entries[member.name] = oci.Link(member.linkname)
            elif content := layer.extractfile(member):
                entries[member.name] = oci.File(content.read(), member.mode)
    return entries
