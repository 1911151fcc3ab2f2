# SPDX-License-Identifier: Apache-2.0
"""The identity of a process: its ID, its start time and the boot it runs in.

A process ID alone is not an identity, since the kernel reuses it, and neither is a name. Only these three together
say that a process is the one that was started here (proc(5): field 22 of ``stat``, in clock ticks).
"""

from __future__ import annotations

import json
import os
import signal
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process, never equal to a later one with the same ID."""

    pid: int
    start_time: int
    boot_id: str

    @property
    def alive(self) -> bool:
        """Whether this process still runs; a zombie does not."""
        return identify(self.pid) == self

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal to this process and to no other; return false when it is gone.

        The pidfd is opened before the identity is checked, so that the ID cannot be reused in between.
        """
        try:
            descriptor = os.pidfd_open(self.pid)
        except OSError:
            return False
        try:
            if not self.alive:
                return False
            signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(descriptor)
        return True

    def save(self, path: Path) -> None:
        """Record the identity for a later run."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self)))


def load(path: Path) -> ProcessIdentity | None:
    """Read a recorded identity; None when there is none or it was cut off by a crash."""
    try:
        return ProcessIdentity(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def boot_id() -> str:
    """Return the kernel's ID of this boot."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def start_time_and_state(stat: str) -> tuple[int, str]:
    """Return start time (clock ticks) and state from a ``/proc/<pid>/stat`` line.

    The command name may hold spaces and brackets, so fields are counted from the last bracket.
    """
    fields = stat.rpartition(")")[2].split()
    return int(fields[19]), fields[0]


def identify(pid: int) -> ProcessIdentity | None:
    """Return the identity of a running process; None if it does not exist or is a zombie."""
    try:
        started, state = start_time_and_state((PROC / str(pid) / "stat").read_text())
    except (OSError, ValueError, IndexError):
        return None
    return None if state in "ZX" else ProcessIdentity(pid, started, boot_id())


def in_namespace(kind: str, inode: int) -> list[ProcessIdentity]:
    """Return all processes whose namespace of this kind (``net``, ``mnt``) has this inode."""
    found = []
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            same = (entry / "ns" / kind).stat().st_ino == inode
        except OSError:
            continue
        identity = identify(int(entry.name)) if same else None
        if identity:
            found.append(identity)
    return found
