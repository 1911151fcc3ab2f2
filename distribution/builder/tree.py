# SPDX-License-Identifier: Apache-2.0
"""Publishes results into the distribution tree, from which processes may be running."""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
import shutil

RECORD = "distribution.json"
LOCK = ".lock"


class Tree:
    """The distribution tree, with a record of which files each component's key has published."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory

    def _record(self) -> dict[str, dict[str, object]]:
        try:
            record: dict[str, dict[str, object]] = json.loads((self.directory / RECORD).read_text())
        except (FileNotFoundError, ValueError):
            # An unreadable record only means that everything is published again.
            return {}
        return record

    def holds(self, name: str, key: str) -> bool:
        """Return whether this result is published and all its files are present."""
        entry = self._record().get(name, {})
        files = entry.get("files", [])
        return (
            entry.get("key") == key
            and isinstance(files, list)
            and all(os.path.lexists(self.directory / file) for file in files)
        )

    def publish(self, name: str, key: str, result: pathlib.Path) -> None:
        """Put the files of a result into the tree and remove files that only its previous result had.

        A file is replaced by a rename, so that a running program keeps its old one and
        no reader ever sees half a file. Other builders of the same tree wait meanwhile.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / LOCK).open("w") as lock:
            # The kernel releases it when its holder dies.
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._publish(name, key, result)

    def _publish(self, name: str, key: str, result: pathlib.Path) -> None:
        files = []
        for source in sorted(result.rglob("*")):
            if source.is_symlink() or source.is_file():
                relative = source.relative_to(result)
                files.append(str(relative))
                _replace(source, self.directory / relative)
        record = self._record()
        old = record.get(name, {}).get("files", [])
        for file in set(old if isinstance(old, list) else ()) - set(files):
            (self.directory / file).unlink(missing_ok=True)
        record[name] = {"key": key, "files": files}
        partial = self.directory / f".{RECORD}"
        partial.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
        partial.rename(self.directory / RECORD)


def _replace(source: pathlib.Path, target: pathlib.Path) -> None:
    """Make ``target`` a hard link to ``source``, or a copy if they are on different file systems."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    partial.unlink(missing_ok=True)
    if source.is_symlink():
        partial.symlink_to(source.readlink())
    else:
        try:
            os.link(source, partial)
        except OSError:
            shutil.copy2(source, partial)
    partial.rename(target)
