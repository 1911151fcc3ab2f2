# SPDX-License-Identifier: Apache-2.0
"""Control groups: one that identifies the installation's processes, and one root per node and hierarchy for kubelet.

All processes of an installation start in its own cgroup2, which none of their descendants leaves on cgroup v1
machines, however they fork, daemonize or rename themselves. So the kernel knows what was started here, even after a
supervisor was killed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hypernetes.agent.host import cgroups as host_cgroups
from hypernetes.kubernetes.bootstrap import kubeadm
from hypernetes.standalone import machine
from hypernetes.standalone import process

DIRECTORY = "hypernetes-standalone"
NODES_DIRECTORY = "hypernetes"
REMOVE_TIMEOUT = 10.0
SYSTEM_ROOT = Path("/sys/fs/cgroup")
# What the kubelet and runc manage in cgroup v1.
NEEDED_CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids")


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One mounted cgroup hierarchy; ``unified`` says that it is cgroup2."""

    mount_point: Path
    options: frozenset[str]
    unified: bool


def parse_mounts(mounts: str) -> list[Hierarchy]:
    """Find the cgroup hierarchies in the text of ``/proc/mounts``, each once."""
    found: dict[Path, Hierarchy] = {}
    for line in mounts.splitlines():
        _, mount_point, kind, options = line.split()[:4]
        if kind in ("cgroup", "cgroup2"):
            path = Path(mount_point)
            found[path] = Hierarchy(path, frozenset(options.split(",")), kind == "cgroup2")
    return list(found.values())


def hierarchies() -> list[Hierarchy]:
    """The hierarchies mounted now."""
    return parse_mounts(Path("/proc/mounts").read_text())


def enabled_controllers(table: str) -> list[str]:
    """The cgroup v1 controllers in the text of ``/proc/cgroups`` that are needed and switched on here."""
    rows = [line.split() for line in table.splitlines() if not line.startswith("#")]
    return [row[0] for row in rows if len(row) == 4 and row[3] == "1" and row[0] in NEEDED_CONTROLLERS]


def ensure_mounted() -> list[Path]:
    """Mount the hierarchies that a container host needs where no init system did.

    A machine with a unified hierarchy at /sys/fs/cgroup needs nothing.

    :returns: the mount points made, outermost first.
    """
    mounted = hierarchies()
    if any(one.unified and one.mount_point == SYSTEM_ROOT for one in mounted):
        return []
    made: list[Path] = []
    if not mounted and not any(SYSTEM_ROOT.iterdir()):
        made.append(_mount("tmpfs", "mode=755", SYSTEM_ROOT))
    made += _mount_controllers(mounted)
    if not any(one.unified for one in mounted):
        made.append(_mount("cgroup2", "nsdelegate", SYSTEM_ROOT / "unified"))
    return made


def _mount(kind: str, options: str, target: Path) -> Path:
    target.mkdir(exist_ok=True)
    machine.run(["mount", "-t", kind, "-o", options, kind, target])
    return target


def _mount_controllers(mounted: list[Hierarchy]) -> list[Path]:
    """Mount each cgroup v1 controller that is not mounted yet; return the mount points made."""
    present = frozenset[str]().union(*(one.options for one in mounted))
    missing = [name for name in enabled_controllers(Path("/proc/cgroups").read_text()) if name not in present]
    if not missing or not machine.succeeds(["mountpoint", "-q", SYSTEM_ROOT]):
        return []
    made = []
    for controller in missing:
        try:
            made.append(_mount("cgroup", controller, SYSTEM_ROOT / controller))
        except machine.CommandFailed:
            # Bound to cgroup2 already. The kubelet does not see it and reports that itself if it needs it.
            (SYSTEM_ROOT / controller).rmdir()
    return made


class ProcessGroup:
    """The processes of one supervisor and all that descends from them."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def path(self) -> Path:
        """Its directory in the unified hierarchy.

        :raises StandaloneError: where the kernel has no cgroup2 at all.
        """
        for one in hierarchies():
            if one.unified:
                return one.mount_point / DIRECTORY / self._name
        raise machine.StandaloneError("no cgroup2 hierarchy is mounted; mount one at /sys/fs/cgroup/unified")

    def enter(self) -> None:
        """Move the calling process in; for use between fork and exec."""
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def members(self) -> list[process.ProcessIdentity]:
        """Everything that runs inside, sub-groups included; empty when nothing was ever started."""
        try:
            directories = [self.path, *(path for path in self.path.rglob("*") if path.is_dir())]
        except (machine.StandaloneError, OSError):
            return []
        found = []
        for directory in directories:
            try:
                pids = (directory / "cgroup.procs").read_text().split()
            except OSError:
                continue
            found += [identity for pid in pids if (identity := process.identify(int(pid)))]
        return found

    def end(self, *, grace: float) -> None:
        """Ask the members to stop, wait up to ``grace`` seconds, then kill the rest; remove the directory."""
        end_processes(self.members, grace=grace)
        remove(self.path)


def end_processes(members: Callable[[], list[process.ProcessIdentity]], *, grace: float) -> None:
    """SIGTERM, then SIGKILL after ``grace`` seconds, to all that ``members()`` returns until it returns none.

    :raises NotReady: when something survives SIGKILL for 10 s.
    """
    for identity in members():
        identity.signal(signal.SIGTERM)
    deadline = time.monotonic() + grace
    while members() and time.monotonic() < deadline:
        time.sleep(0.1)

    def killed() -> bool:
        left = members()
        for identity in left:
            identity.signal(signal.SIGKILL)
        return not left

    machine.wait_until(killed, "the end of the installation's processes", timeout=10)


def node_roots(node: str) -> list[Path]:
    """A node's root cgroup in every hierarchy; its kubelet runs with ``--cgroup-root=/hypernetes/<node>``."""
    return [one.mount_point / kubeadm.cgroup_root(node).strip("/") for one in hierarchies()]


def create_node_roots(node: str) -> None:
    """Create the node's roots."""
    host_cgroups.create(kubeadm.cgroup_root(node), ((one.mount_point, one.options) for one in hierarchies()))


def node_members(node: str) -> list[process.ProcessIdentity]:
    """All processes in the node's roots or below them."""
    pids: set[int] = set()
    for root in node_roots(node):
        for procs in root.rglob("cgroup.procs"):
            try:
                pids.update(int(pid) for pid in procs.read_text().split())
            except OSError:
                continue
    return [identity for pid in sorted(pids) if (identity := process.identify(pid))]


def anything_runs() -> bool:
    """Return whether a process of any installation, or of its nodes, runs on this machine."""
    for one in hierarchies():
        for directory in (one.mount_point / DIRECTORY, one.mount_point / NODES_DIRECTORY):
            for procs in directory.rglob("cgroup.procs"):
                try:
                    if procs.read_text().strip():
                        return True
                except OSError:
                    continue
    return False


def remove(directory: Path) -> None:
    """Remove a cgroup and everything below it; nothing may run there any more.

    :raises StandaloneError: when it is still in use after 10 s.
    """
    deadline = time.monotonic() + REMOVE_TIMEOUT
    while True:
        try:
            _remove_once(directory)
        except OSError as error:
            # The kernel lets go of a group some time after the last process in it has ended.
            if error.errno != errno.EBUSY or time.monotonic() >= deadline:
                raise machine.StandaloneError(f"the control group {directory} cannot be removed: {error}") from error
        else:
            return
        time.sleep(0.1)


def _remove_once(directory: Path) -> None:
    # A runtime or the kernel may be taking groups away at the same time.
    for name, _, _ in os.walk(directory, topdown=False):
        with contextlib.suppress(FileNotFoundError):
            Path(name).rmdir()
