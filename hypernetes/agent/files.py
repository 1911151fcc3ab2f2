# SPDX-License-Identifier: Apache-2.0
"""Writes files atomically: complete or not at all, whenever the process is killed."""

import json
import os
import secrets
from pathlib import Path
from typing import Any


def write(path: Path, content: str | bytes, mode: int = 0o600, owner: tuple[int, int] | None = None) -> bool:
    """Make ``path`` hold ``content`` with exactly ``mode``, by rename; missing parents are created with 0755.

    :param owner: user and group IDs; those of the process by default.
    :returns: whether the content had to be changed. Mode and owner are corrected in any case.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        if path.read_bytes() == data:
            path.chmod(mode)
            if owner is not None:
                os.chown(path, *owner)
            return False
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    # The temporary name begins with a dot, so that a listing of *.conf or *.json does not include it.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)  # the umask has cleared bits of the mode that os.open was given
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return True


def write_json(path: Path, value: Any, mode: int = 0o600) -> bool:
    """Write ``value`` as JSON with :func:`write`."""
    return write(path, json.dumps(value, sort_keys=True) + "\n", mode)


def read_json(path: Path) -> Any | None:
    """Read what :func:`write_json` wrote; None if there is no such file or it is not valid JSON.

    A file that is not valid JSON was not written by the agent, which writes atomically; it counts as absent.
    """
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
