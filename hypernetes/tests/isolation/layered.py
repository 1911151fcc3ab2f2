# SPDX-License-Identifier: Apache-2.0
"""Images made from busybox and put where the nodes of the standalone environment pull from.

Of many layers; with a directory that the image declares as VOLUME; and with a layer that is an erofs file already.
"""

import hashlib
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distribution.builder import oci
from distribution.builder import push
from hypernetes.standalone.layout import Layout

BUSYBOX = "library/busybox"
VOLUME_IMAGE = "library/volume:latest"
VOLUME = "data"
READY_MADE_IMAGE = "library/ready-made:latest"
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
        _push(layout, tree)


def provide_volume(layout: Layout) -> None:
    """Put an image into the registry's store that declares a directory as VOLUME and has a file there."""
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory) / "tree"
        layers = [_entries(blob) for blob in _layers(layout)]
        layers.append({f"{VOLUME}/seed": oci.File(b"seed\n")})
        oci.write_layouts([oci.Image(VOLUME_IMAGE, layers, command=["sh"])], tree / "images")
        blobs = _Blobs(tree / "images" / oci.directory_name(VOLUME_IMAGE))
        manifest, configuration = blobs.image()
        configuration["config"]["Volumes"] = {f"/{VOLUME}": {}}
        blobs.replace(manifest, configuration)
        _push(layout, tree)


def provide_ready_made(layout: Layout) -> None:
    """Put an image into the registry's store whose one layer is an erofs file, as its media type says."""
    with tempfile.TemporaryDirectory() as directory:
        tree, content = Path(directory) / "tree", Path(directory) / "content"
        (content / "bin").mkdir(parents=True)
        subprocess.run(["mkfs.erofs", "--quiet", f"{directory}/layer.erofs", str(content)], check=True)
        oci.write_layouts([oci.Image(READY_MADE_IMAGE, [{"a": oci.File(b"a")}], command=["/a"])], tree / "images")
        blobs = _Blobs(tree / "images" / oci.directory_name(READY_MADE_IMAGE))
        manifest, configuration = blobs.image()
        stored = blobs.store(Path(directory, "layer.erofs").read_bytes())
        manifest["layers"] = [{**stored, "mediaType": "application/vnd.erofs.layer.v1"}]
        configuration["rootfs"]["diff_ids"] = [stored["digest"]]
        blobs.replace(manifest, configuration)
        _push(layout, tree)


class _Blobs:
    """The blobs of an image's layout, for what an image of the distribution has not."""

    def __init__(self, layout: Path) -> None:
        self._layout = layout

    def image(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return manifest and configuration."""
        _, digest = oci.reference_and_digest(self._layout)
        manifest = json.loads(self._path(digest).read_bytes())
        return manifest, json.loads(self._path(manifest["config"]["digest"]).read_bytes())

    def store(self, content: bytes) -> dict[str, Any]:
        """Store a blob; return digest and size as a descriptor has them."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self._path(digest).write_bytes(content)
        return {"digest": digest, "size": len(content)}

    def replace(self, manifest: dict[str, Any], configuration: dict[str, Any]) -> None:
        """Make the layout's image one of this manifest and this configuration."""
        manifest["config"] |= self.store(json.dumps(configuration).encode())
        path = self._layout / "index.json"
        index = json.loads(path.read_bytes())
        index["manifests"][0] |= self.store(json.dumps(manifest).encode())
        path.write_text(json.dumps(index))

    def _path(self, digest: str) -> Path:
        return self._layout / "blobs" / "sha256" / digest.removeprefix("sha256:")


def _push(layout: Layout, tree: Path) -> None:
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
