# SPDX-License-Identifier: Apache-2.0
"""Who a process is: its number, when it started and in which boot.

A number alone is no identity, since the kernel hands it out again; a name is none either. Only these three
together say that a process is the one that was started here (proc(5): field 22 of ``stat``, in clock ticks).
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
    """One process, for good: never equal to a later one with the same number."""

    pid: int
    start_time: int
    boot_id: str

    @property
    def alive(self) -> bool:
        """Whether this very process still runs; a zombie does not."""
        return identify(self.pid) == self

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal to this process and to no other; false when it is gone.

        The pidfd is opened first and the identity checked after, so that the number cannot change hands between.
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
    """The kernel's name for this boot."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def start_time_and_state(stat: str) -> tuple[int, str]:
    """Take start time (clock ticks) and state out of a ``/proc/<pid>/stat`` line.

    The command name may hold spaces and brackets, so fields are counted from the last bracket.
    """
    fields = stat.rpartition(")")[2].split()
    return int(fields[19]), fields[0]


def identify(pid: int) -> ProcessIdentity | None:
    """The identity of a running process; None when there is none, or only its remains."""
    try:
        started, state = start_time_and_state((PROC / str(pid) / "stat").read_text())
    except (OSError, ValueError, IndexError):
        return None
    return None if state in "ZX" else ProcessIdentity(pid, started, boot_id())


def in_namespace(kind: str, inode: int) -> list[ProcessIdentity]:
    """All processes whose namespace of this kind (``net``, ``mnt``) has this inode."""
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
