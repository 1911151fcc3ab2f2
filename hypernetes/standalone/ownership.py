# SPDX-License-Identifier: Apache-2.0
"""Which directories are ours to fill and to take away: those that bear a mark from their first use on.

HYPERNETES_STATE and HYPERNETES_CACHE may name anything, a person's home as well; only what was empty becomes ours.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from hypernetes.standalone import machine
from hypernetes.standalone import mounts
from hypernetes.standalone.layout import DEFAULT_CACHE
from hypernetes.standalone.layout import DEFAULT_STATE
from hypernetes.standalone.layout import Layout

# tools/quickstart, which makes the cache directory, has the same name.
MARK = ".hypernetes-standalone"


def check(layout: Layout) -> None:
    """Make sure that both directories are ours or can become it.

    :raises StandaloneError: one of them holds something else
    """
    for directory, variable in ((layout.state, "HYPERNETES_STATE"), (layout.cache, "HYPERNETES_CACHE")):
        if not _acceptable(directory):
            raise machine.StandaloneError(
                f"{directory} ({variable}) holds something that was not made here; name an empty or a new directory. "
                f"Only if a quickstart did make it, mark it as ours: touch {directory / MARK}"
            )


def claim(layout: Layout) -> None:
    """Mark both directories, which are made where they do not exist.

    :raises StandaloneError: one of them holds something else
    """
    check(layout)
    for directory in (layout.state, layout.cache):
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        (directory / MARK).touch()


def remove(directory: Path) -> None:
    """Take away a directory of ours with all that is in it; one without our mark stays.

    :raises StandaloneError: a file system that we did not mount is in it
    """
    directory = directory.resolve()
    if not _is_owned(directory):
        return
    inner = [point for point in mounts.below(directory) if point != directory]
    if inner:
        raise machine.StandaloneError(f"not removed, since mounted in it: {', '.join(map(str, inner))}")
    mark = directory / MARK
    # The mark goes last, so that an interrupted removal can be repeated.
    mark.touch()
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path != mark:
            path.unlink()
    mark.unlink()
    # A file system of the operator's own stays, empty.
    if not directory.is_mount():
        directory.rmdir()


def _acceptable(directory: Path) -> bool:
    if _is_owned(directory):
        return True
    try:
        return not any(directory.iterdir())
    except FileNotFoundError:
        return not directory.is_symlink()
    except NotADirectoryError:
        return False


def _is_owned(directory: Path) -> bool:
    """Whether it bears the mark, or lies at a default place, which was ours before there were marks."""
    return directory.is_dir() and ((directory / MARK).is_file() or directory in (DEFAULT_STATE, DEFAULT_CACHE))
