# SPDX-License-Identifier: Apache-2.0
"""Which folders are ours to fill and to take away: those that bear a mark from their first use on.

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

# tools/quickstart, which makes the cache folder, has the same name.
MARK = ".hypernetes-standalone"


def check(layout: Layout) -> None:
    """Make sure that both folders are ours or can become it.

    :raises StandaloneError: one of them holds something else
    """
    for folder, variable in ((layout.state, "HYPERNETES_STATE"), (layout.cache, "HYPERNETES_CACHE")):
        if not _acceptable(folder):
            raise machine.StandaloneError(
                f"{folder} ({variable}) holds something that was not made here; name an empty or a new folder. "
                f"Only if a quickstart did make it, mark it as ours: touch {folder / MARK}"
            )


def claim(layout: Layout) -> None:
    """Mark both folders, which are made where they do not exist.

    :raises StandaloneError: one of them holds something else
    """
    check(layout)
    for folder in (layout.state, layout.cache):
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        (folder / MARK).touch()


def remove(folder: Path) -> None:
    """Take away a folder of ours with all that is in it; one without our mark stays.

    :raises StandaloneError: a file system that we did not mount is in it
    """
    folder = folder.resolve()
    if not _ours(folder):
        return
    inner = [point for point in mounts.below(folder) if point != folder]
    if inner:
        raise machine.StandaloneError(f"not removed, since mounted in it: {', '.join(map(str, inner))}")
    mark = folder / MARK
    # The mark goes last, so that an interrupted removal can be repeated.
    mark.touch()
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path != mark:
            path.unlink()
    mark.unlink()
    # A file system of the operator's own stays, empty.
    if not folder.is_mount():
        folder.rmdir()


def _acceptable(folder: Path) -> bool:
    if _ours(folder):
        return True
    try:
        return not any(folder.iterdir())
    except FileNotFoundError:
        return not folder.is_symlink()
    except NotADirectoryError:
        return False


def _ours(folder: Path) -> bool:
    """Whether it bears the mark, or lies at a default place, which was ours before there were marks."""
    return folder.is_dir() and ((folder / MARK).is_file() or folder in (DEFAULT_STATE, DEFAULT_CACHE))
