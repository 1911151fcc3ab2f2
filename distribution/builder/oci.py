# SPDX-License-Identifier: Apache-2.0
"""Creates container images as OCI layouts, without a container engine.

Source of the formats: the OCI image specification 1.1 (image-layout, manifest, config,
layer). Equal content produces equal bytes: names are sorted, times are zero, owners are root.
Layers are not compressed: they travel between processes of one machine or rack, where
compressing costs more than it saves.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import pathlib
import tarfile
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import BinaryIO

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
REFERENCE_ANNOTATION = "org.opencontainers.image.ref.name"
EPOCH = "1970-01-01T00:00:00Z"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclasses.dataclass(frozen=True, slots=True)
class Directory:
    """A directory in a layer."""

    mode: int = 0o755


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link in a layer."""

    target: str


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """A file in a layer: bytes, or the content of a file of this machine."""

    content: bytes | pathlib.Path
    mode: int = 0o644


Entry = Directory | Link | File


@dataclasses.dataclass(frozen=True, slots=True)
class Image:
    """An image: a reference without a registry (``library/busybox:latest``), layers, and its command."""

    reference: str
    layers: Sequence[Mapping[str, Entry]]
    """Lowest first; each maps paths without a leading slash to entries."""
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    user: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Blob:
    """A descriptor of stored content."""

    digest: str
    size: int


def with_parents(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return the entries in order, including the parent directories that are not listed."""
    full: dict[str, Entry] = {}
    for path, entry in entries.items():
        for parent in pathlib.PurePosixPath(path).parents:
            if str(parent) != "." and str(parent) not in entries:
                full[str(parent)] = Directory()
        full[path] = entry
    return dict(sorted(full.items()))


def write_layer(entries: Mapping[str, Entry], stream: BinaryIO) -> None:
    """Write a layer's tar archive."""
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, entry in with_parents(entries).items():
            member = tarfile.TarInfo(path)
            if isinstance(entry, Directory):
                member.type, member.mode = tarfile.DIRTYPE, entry.mode
                archive.addfile(member)
            elif isinstance(entry, Link):
                member.type, member.mode, member.linkname = tarfile.SYMTYPE, 0o777, entry.target
                archive.addfile(member)
            else:
                member.mode = entry.mode
                if isinstance(entry.content, bytes):
                    member.size = len(entry.content)
                    archive.addfile(member, io.BytesIO(entry.content))
                else:
                    member.size = entry.content.stat().st_size
                    with entry.content.open("rb") as content:
                        archive.addfile(member, content)


def config(image: Image, diff_ids: Sequence[str], architecture: str) -> dict[str, Any]:
    """Return the image's configuration; ``diff_ids`` are the digests of the uncompressed layers."""
    process: dict[str, Any] = {"Env": [f"PATH={PATH}"]}
    if image.entrypoint:
        process["Entrypoint"] = list(image.entrypoint)
    if image.command:
        process["Cmd"] = list(image.command)
    if image.user:
        process["User"] = image.user
    return {
        "architecture": architecture,
        "os": "linux",
        "created": EPOCH,
        "config": process,
        "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
        "history": [{"created": EPOCH, "created_by": "distribution/build"} for _ in diff_ids],
    }


def manifest(configuration: Blob, layers: Sequence[Blob]) -> dict[str, Any]:
    """Return the image's manifest."""
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": configuration.digest, "size": configuration.size},
        "layers": [{"mediaType": LAYER_TYPE, "digest": layer.digest, "size": layer.size} for layer in layers],
    }


def index(reference: str, stored: Blob, architecture: str) -> dict[str, Any]:
    """Return the layout's index: one manifest, with the image's reference."""
    return {
        "schemaVersion": 2,
        "mediaType": INDEX_TYPE,
        "manifests": [
            {
                "mediaType": MANIFEST_TYPE,
                "digest": stored.digest,
                "size": stored.size,
                "platform": {"os": "linux", "architecture": architecture},
                "annotations": {REFERENCE_ANNOTATION: reference},
            }
        ],
    }


def directory_name(reference: str) -> str:
    """Return the layout's directory for a reference: the repository, which has one version here."""
    return reference.rsplit(":", 1)[0]


def write_layouts(images: Sequence[Image], target: pathlib.Path, architecture: str = "amd64") -> None:
    """Write each image as a separate layout: ``target/<repository>/{oci-layout,index.json,blobs}``.

    A layer that several images share, as the same mapping, is made once and linked.
    """
    made: dict[int, tuple[pathlib.Path, Blob]] = {}
    for image in images:
        layout = target / directory_name(image.reference)
        blobs = layout / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        layers = []
        for entries in image.layers:
            if known := made.get(id(entries)):
                path, layer = known
                os.link(path, blobs / path.name)
            else:
                layer = _store_layer(blobs, entries)
                made[id(entries)] = (blobs / layer.digest.removeprefix("sha256:"), layer)
            layers.append(layer)
        _complete(layout, image, layers, architecture)


def write_layout_of_archive(
    image: Image, archive: pathlib.Path, target: pathlib.Path, architecture: str = "amd64"
) -> None:
    """Write an image whose lowest layer is an archive that another program made; the archive is moved."""
    layout = target / directory_name(image.reference)
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    layers = [_store_archive(blobs, archive), *(_store_layer(blobs, entries) for entries in image.layers)]
    _complete(layout, image, layers, architecture)


def _complete(layout: pathlib.Path, image: Image, layers: Sequence[Blob], architecture: str) -> None:
    """Write all of a layout except its layers."""
    blobs = layout / "blobs" / "sha256"
    configuration = _store(blobs, config(image, [layer.digest for layer in layers], architecture))
    stored = _store(blobs, manifest(configuration, layers))
    (layout / "index.json").write_bytes(_json(index(image.reference, stored, architecture)))
    (layout / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))


def reference_and_digest(layout: pathlib.Path) -> tuple[str, str]:
    """Read a layout's index: the image's reference and its manifest's digest."""
    entry = json.loads((layout / "index.json").read_bytes())["manifests"][0]
    return entry["annotations"][REFERENCE_ANNOTATION], entry["digest"]


def layer_digests(layout: pathlib.Path) -> list[str]:
    """Read a layout: the digests of its image's layers, lowest first."""
    _, digest = reference_and_digest(layout)
    blobs = layout / "blobs" / "sha256"
    stored = json.loads((blobs / digest.removeprefix("sha256:")).read_bytes())
    return [layer["digest"] for layer in stored["layers"]]


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _store(blobs: pathlib.Path, value: Mapping[str, Any]) -> Blob:
    content = _json(value)
    digest = hashlib.sha256(content).hexdigest()
    (blobs / digest).write_bytes(content)
    return Blob(f"sha256:{digest}", len(content))


def _store_layer(blobs: pathlib.Path, entries: Mapping[str, Entry]) -> Blob:
    partial = blobs / "layer.partial"
    with partial.open("wb") as stream:
        write_layer(entries, stream)
    return _store_archive(blobs, partial)


def _store_archive(blobs: pathlib.Path, archive: pathlib.Path) -> Blob:
    with archive.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    blob = Blob(f"sha256:{digest}", archive.stat().st_size)
    archive.rename(blobs / digest)
    return blob
