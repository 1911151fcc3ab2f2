# SPDX-License-Identifier: Apache-2.0
"""What pods leave traces in, counted on the node and in Neutron, for comparing before and after."""

import json
from dataclasses import dataclass
from dataclasses import fields
from pathlib import Path

from hypernetes.tests.isolation import base


@dataclass(frozen=True)
class Inventory:
    """Everything of pods that can leak, by name."""

    taps: frozenset[str]
    ovs_ports: frozenset[str]
    machines: frozenset[str]
    """Sandbox ids or process numbers of QEMU."""
    shims: frozenset[str]
    netns: frozenset[str]
    """Mounted network namespaces of pods."""
    mounts: frozenset[str]
    files: frozenset[str]
    """Scratch disks, VM directories and sandbox records."""
    cgroups: frozenset[str]
    neutron_ports: frozenset[str]

    def beyond(self, earlier: "Inventory") -> dict[str, set[str]]:
        """What is here and was not there earlier."""
        more = {f.name: set(getattr(self, f.name) - getattr(earlier, f.name)) for f in fields(self)}
        return {name: extra for name, extra in more.items() if extra}


def _node_lines(*words: str) -> frozenset[str]:
    done = base.node(*words)
    if done.status:
        raise AssertionError(f"{words}: {done.text}")
    return frozenset(done.output.split())


def _found(*directories: str, maximum_depth: int = 8) -> frozenset[str]:
    depth = ("-mindepth", "1", "-maxdepth", str(maximum_depth))
    # find fails on a directory that does not exist yet, which is the same as an empty one.
    return frozenset(base.node("find", *directories, *depth).output.split("\n")) - {""}


def _scratch_disks() -> frozenset[str]:
    """Return the files that containerd and the kubelet remove with what they measure by them."""
    places = ("/var/lib/containerd/io.containerd.snapshotter.v1.erofs/snapshots", "/var/lib/kubelet/pods")
    return frozenset(base.node("find", *places, "-name", "hypernetes.ext4").output.split("\n")) - {""}


def _processes(executable: str) -> frozenset[str]:
    found = set()
    for process in base.processes():
        line = base.command_line(process)
        if line and Path(line[0]).name == executable:
            found.add(process.name)
    return frozenset(found)


def _mounts() -> list[tuple[str, str]]:
    done = base.node("cat", "/proc/self/mounts")
    return [(line.split()[1], line.split()[2]) for line in done.output.splitlines()]


def take() -> Inventory:
    """Count now."""
    links = json.loads(base.node("ip", "-j", "link").output)
    mounts = _mounts()
    ports = base.cloud("admin").network.ports(device_owner="compute:hypernetes")
    return Inventory(
        taps=frozenset(link["ifname"] for link in links if link["ifname"].startswith("tap")),
        ovs_ports=frozenset(
            n for n in _node_lines("ovs-vsctl", "--timeout=10", "list-ports", "br-int") if n.startswith("tap")
        ),
        machines=_processes("qemu-system-x86_64"),
        shims=_processes("containerd-shim-hyper-v2"),
        netns=frozenset(path for path, kind in mounts if kind == "nsfs" and "cni" in path),
        mounts=frozenset(
            path
            for path, kind in mounts
            if kind != "nsfs" and ("/run/containerd/" in path or "/var/lib/kubelet/pods/" in path)
        ),
        files=_found("/run/hypernetes/sandboxes", "/run/hypernetes/vm", maximum_depth=1) | _scratch_disks(),
        cgroups=frozenset(p for p in _found("/sys/fs/cgroup/memory/hypernetes") if Path(p).name.startswith("pod")),
        neutron_ports=frozenset(port.id for port in ports),
    )
