# SPDX-License-Identifier: Apache-2.0
"""What a component of the distribution is, and the key that names its content."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distribution.builder.context import Context

# Raised when the meaning of a cache entry changes for all components.
KEY_FORMAT = 1


class BuildError(Exception):
    """A build cannot continue; the message states what is wrong and what to do about it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Component:
    """One part of the distribution: what determines its content, and how it is built.

    ``build(output, context)`` fills the empty directory ``output``, laid out like the
    distribution tree itself (``bin/…``, ``guest/…``, ``images/…``). It reads nothing but
    what is declared here, for only that enters the key under which the result is kept.
    It may be killed at any time: a result counts only once ``build`` has returned.
    """

    name: str
    build: Callable[[pathlib.Path, Context], None]
    inputs: tuple[str, ...] = ()
    """Files and directories, relative to the repository root, whose content is part of the key."""
    versions: tuple[str, ...] = ()
    """Sections of versions.toml that are part of the key."""
    needs: tuple[str, ...] = ()
    """Components whose results the build reads, by ``context.result(name)``."""
    go: bool = False
    """Whether Go compiles it; the toolchain's version is then part of the key."""
    published: bool = True
    """Whether the result goes into the distribution tree, or only serves other components."""
    optional: bool = False
    """Whether it is built only where it is named."""


def source_files(root: pathlib.Path, inputs: tuple[str, ...]) -> Iterator[pathlib.Path]:
    """Return every file below the named inputs, in a fixed order, without generated clutter.

    :raises BuildError: when an input does not exist: a typing error would otherwise make a
    key that never changes.
    """
    for name in inputs:
        path = root / name
        if path.is_file():
            yield path
        elif path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.is_file() and "__pycache__" not in file.parts and not file.name.startswith("."):
                    yield file
        else:
            raise BuildError(f"an input of the distribution is missing: {name}")


def content_key(
    component: Component,
    root: pathlib.Path,
    versions: Mapping[str, Mapping[str, Any]],
    need_keys: Mapping[str, str],
    go_version: str,
) -> str:
    """Return the key of the component's content: equal inputs, equal key.

    ``need_keys`` holds the keys of what it needs; ``go_version`` counts only for components
    that Go compiles.
    """
    files = {}
    for file in source_files(root, component.inputs):
        executable = bool(file.stat().st_mode & 0o100)
        files[str(file.relative_to(root))] = [hashlib.sha256(file.read_bytes()).hexdigest(), executable]
    parts = {
        "format": KEY_FORMAT,
        "name": component.name,
        "files": files,
        "versions": {section: versions[section] for section in component.versions},
        "needs": {name: need_keys[name] for name in component.needs},
        "go": go_version if component.go else None,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]
