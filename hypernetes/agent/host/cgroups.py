# SPDX-License-Identifier: Apache-2.0
"""The control group under which kubelet keeps its pods. kubelet refuses to start when it does not exist."""

import contextlib
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path

import yaml

MOUNTS = Path("/proc/self/mountinfo")


def kubelet_root(kubeadm_configuration: str) -> str:
    """Return kubelet's cgroupRoot from kubeadm's YAML documents; empty if they set none.

    :raises yaml.YAMLError: when the text is not valid YAML.
    """
    for document in yaml.safe_load_all(kubeadm_configuration):
        if isinstance(document, dict) and document.get("kind") == "KubeletConfiguration":
            return str(document.get("cgroupRoot") or "")
    return ""


def hierarchies(mountinfo: str) -> Iterator[tuple[Path, frozenset[str]]]:
    """Yield mount point and options of every cgroup hierarchy in the text of /proc/self/mountinfo (proc(5))."""
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        kind, _, rest = after.partition(" ")
        if kind in {"cgroup", "cgroup2"}:
            options = rest.rsplit(" ", 1)[-1]
            yield Path(before.split(" ")[4]), frozenset(options.split(","))


def create(group: str, mounts: Iterable[tuple[Path, frozenset[str]]] | None = None) -> None:
    """Create ``group`` (an absolute cgroup path) in every hierarchy; the root always exists."""
    names = [part for part in group.split("/") if part]
    if mounts is None:
        mounts = hierarchies(MOUNTS.read_text())
    for mount, options in mounts:
        directory = mount
        for name in names:
            parent, directory = directory, directory / name
            directory.mkdir(exist_ok=True)
            if "cpuset" in options:
                _inherit_cpuset(parent, directory)


def remove(group: str, mounts: Iterable[tuple[Path, frozenset[str]]] | None = None) -> None:
    """Remove ``group`` and the empty groups below it; groups with processes stay."""
    relative = group.strip("/")
    if not relative:
        return
    if mounts is None:
        mounts = hierarchies(MOUNTS.read_text())
    for mount, _ in mounts:
        root = mount / relative
        for directory in sorted((p for p in root.rglob("*") if p.is_dir()), key=lambda p: -len(p.parts)):
            _remove_empty(directory)
        _remove_empty(root)
        # Parents that other nodes use have children and stay.
        for above in list(root.parents):
            if above == mount:
                break
            _remove_empty(above)


def _remove_empty(directory: Path) -> None:
    # Busy means that a process still runs there; its owner has to stop it.
    with contextlib.suppress(OSError):
        directory.rmdir()


def _inherit_cpuset(parent: Path, directory: Path) -> None:
    # In cgroup v1 a new cpuset is empty and takes no process until it has processors and memory nodes.
    for name in ("cpuset.cpus", "cpuset.mems"):
        if not (directory / name).read_text().strip():
            (directory / name).write_text((parent / name).read_text())
