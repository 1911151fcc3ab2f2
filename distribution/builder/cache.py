# SPDX-License-Identifier: Apache-2.0
"""Build results by content key; an entry is either complete or absent."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import shutil
from collections.abc import Iterator

# How many older results of a component are kept, for switching between branches.
ENTRIES_KEPT = 3


class Cache:
    """A directory of results: ``components/<name>/<key>/``.

    An entry is built under another name and renamed when it is complete, so that a build
    killed at any point leaves no entry. A lock per component keeps two builds apart; the
    kernel drops it when its holder dies.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.components = directory / "components"

    @contextlib.contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Hold the component's lock; wait for another build of it."""
        locks = self.directory / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        with (locks / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def find(self, name: str, key: str) -> pathlib.Path | None:
        """Return the entry's directory, or None."""
        entry = self.components / name / key
        return entry if entry.is_dir() else None

    @contextlib.contextmanager
    def building(self, name: str, key: str) -> Iterator[pathlib.Path]:
        """Return an empty directory which becomes the entry when the block ends without an error.

        Call it with the lock held: it also removes what earlier, killed builds left.
        """
        parent = self.components / name
        parent.mkdir(parents=True, exist_ok=True)
        for leftover in parent.glob("*.partial"):
            shutil.rmtree(leftover, ignore_errors=True)
        partial = parent / f"{key}.partial"
        partial.mkdir()
        try:
            yield partial
            partial.rename(parent / key)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        self._prune(parent, keep=key)

    def _prune(self, parent: pathlib.Path, keep: str) -> None:
        """Remove all but the newest entries; ``keep`` always stays."""
        entries = sorted(parent.iterdir(), key=lambda entry: entry.stat().st_mtime, reverse=True)
        for entry in entries[ENTRIES_KEPT:]:
            if entry.name != keep:
                shutil.rmtree(entry, ignore_errors=True)

    def touch(self, entry: pathlib.Path) -> None:
        """Mark an entry as just used, so that pruning removes others first."""
        os.utime(entry)
