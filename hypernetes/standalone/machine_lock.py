# SPDX-License-Identifier: Apache-2.0
"""One installation for a machine: its control groups, network namespaces and bridge have fixed names.

The lock file names the state directory of the installation that owns them.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from hypernetes.standalone import cgroups
from hypernetes.standalone import machine
from hypernetes.standalone.layout import DEFAULT_STATE

LOCK = Path("/run/hypernetes-standalone.lock")


class MachineLock:
    """The lock, held; ``forget`` once nothing of the installation is left."""

    def __init__(self) -> None:
        self.forgotten = False

    def forget(self) -> None:
        """Leave no lock file behind."""
        self.forgotten = True


@contextmanager
def held(state: Path) -> Iterator[MachineLock]:
    """Own the machine for the installation of this state directory, and be the only one at work on it.

    :raises StandaloneError: another up, down or clean is at work, or another installation runs.
    """
    with _locked() as stream:
        # Earlier releases did not write a name; what runs then is most likely the default installation.
        owner = stream.read().strip() or str(DEFAULT_STATE)
        if owner != str(state) and cgroups.anything_runs():
            raise machine.StandaloneError(
                f"the installation of {owner} runs on this machine, and there can be one only; "
                f"stop it first: HYPERNETES_STATE={owner} tools/quickstart down"
            )
        stream.seek(0)
        stream.truncate()
        stream.write(f"{state}\n")
        stream.flush()
        lock = MachineLock()
        yield lock
        if lock.forgotten:
            # The last step under the lock: the next process to create the file is alone, too.
            LOCK.unlink()


@contextmanager
def _locked() -> Iterator[IO[str]]:
    while True:
        descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        with os.fdopen(descriptor, "r+") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise machine.StandaloneError(
                    f"another quickstart is at work, wait for it to finish: {stream.read().strip()}"
                ) from error
            if _is_at_its_place(descriptor):
                yield stream
                return


def _is_at_its_place(descriptor: int) -> bool:
    """Return whether the path still names the locked file, which a ``clean`` may have removed since it was opened."""
    try:
        return os.path.samestat(os.fstat(descriptor), LOCK.stat())
    except FileNotFoundError:
        return False
