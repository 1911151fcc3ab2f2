# SPDX-License-Identifier: Apache-2.0
"""Which directories the quickstart may fill and remove: those that carry a mark since their first use.

HYPERNETES_STATE and HYPERNETES_CACHE may name anything, even a home directory; only an empty one is marked.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from hypernetes.standalone import machine
from hypernetes.standalone import mounts
from hypernetes.standalone.layout import DEFAULT_CACHE
from hypernetes.standalone.layout import DEFAULT_STATE
from hypernetes.standalone.layout import Layout

# tools/quickstart, which creates the cache directory, has the same name.
MARK = ".hypernetes-standalone"


def check(layout: Layout) -> None:
    """Check that both directories carry the mark or are empty.

    :raises StandaloneError: when one of them holds anything else.
    """
    for directory, variable in ((layout.state, "HYPERNETES_STATE"), (layout.cache, "HYPERNETES_CACHE")):
        if not _acceptable(directory):
            raise machine.StandaloneError(
                f"{directory} ({variable}) holds files that the quickstart did not create; "
                "name an empty or a new directory. "
                f"Only if a quickstart did create it, mark it: touch {directory / MARK}"
            )


def claim(layout: Layout) -> None:
    """Mark both directories, creating them where they do not exist.

    :raises StandaloneError: when one of them holds anything else.
    """
    check(layout)
    for directory in (layout.state, layout.cache):
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        (directory / MARK).touch()


def remove(directory: Path) -> None:
    """Remove a marked directory with its contents; one without the mark stays.

    :raises StandaloneError: when another file system is mounted in it.
    """
    directory = directory.resolve()
    if not _is_owned(directory):
        return
    inner = [point for point in mounts.below(directory) if point != directory]
    if inner:
        raise machine.StandaloneError(
            f"{directory} is not removed, since these are mounted in it: {', '.join(map(str, inner))}"
        )
    mark = directory / MARK
    # The mark goes last, so that an interrupted removal can be repeated.
    mark.touch()
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path != mark:
            path.unlink()
    mark.unlink()
    # The operator's own file system stays, empty.
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
    """Return whether it carries the mark or is a default directory, which predate the mark."""
    return directory.is_dir() and ((directory / MARK).is_file() or directory in (DEFAULT_STATE, DEFAULT_CACHE))
