# SPDX-License-Identifier: Apache-2.0
"""A node on this machine: a network namespace, a mount namespace and a cgroup root of its own.

Inside, everything lies at its production path: the mount namespace binds directories of the node's state over them.
The control services' state is hidden there, so that a search for credentials in a node finds what a real node
would hold. Processes enter with nsenter; ``ip netns exec`` would mount a new /sys without the control groups.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hypernetes.standalone import addresses
from hypernetes.standalone import cgroups
from hypernetes.standalone import machine
from hypernetes.standalone import mounts
from hypernetes.standalone import process
from hypernetes.standalone.installation import Installation

NETNS_DIRECTORY = Path("/run/netns")
APISERVER_PORT = 6443
CONNECTIONS_PER_SOURCE = 64
"""To a node's apiserver, as the load balancer of a real one allows them (etc/hypernetes/haproxy.cfg)."""
DIST_MOUNT = Path("/usr/lib/hypernetes")
TUNNEL_DEVICE = "eth1"
HOSTS = Path("/etc/hosts")
FIRST_HOSTS = "127.0.0.1 localhost\n"

# Directory below the node's state → path inside. What begins with `run` is emptied at each start, as at a boot.
BINDS = {
    "etc/hypernetes": "/etc/hypernetes",
    "etc/kubernetes": "/etc/kubernetes",
    "etc/containerd": "/etc/containerd",
    "etc/cni": "/etc/cni",
    "etc/openvswitch": "/etc/openvswitch",
    "opt/cni": "/opt/cni",
    "lib/hypernetes": "/var/lib/hypernetes",
    "lib/kubelet": "/var/lib/kubelet",
    "lib/etcd": "/var/lib/etcd",
    "lib/containerd": "/var/lib/containerd",
    "libexec/kubernetes": "/usr/libexec/kubernetes",
    "log/hypernetes": "/var/log/hypernetes",
    "log/kubernetes": "/var/log/kubernetes",
    "log/pods": "/var/log/pods",
    "log/containers": "/var/log/containers",
    "run/hypernetes": "/run/hypernetes",
    "run/containerd": "/run/containerd",
    "run/netns": "/run/netns",
    "run/openvswitch": "/run/openvswitch",
    "run/ovn": "/run/ovn",
}


@dataclass(frozen=True, slots=True)
class Node:
    """A node's names; everything about it follows from its own name."""

    name: str

    @property
    def address(self) -> str:
        """Its address on the bridge."""
        return addresses.NODES[self.name]

    @property
    def is_worker(self) -> bool:
        """Whether it is not the cluster's control node."""
        return self.name != next(iter(addresses.NODES))

    @property
    def tunnel_address(self) -> str:
        """Its address as the end of tunnels between nodes."""
        return addresses.TUNNELS[self.name]

    @property
    def tunnel_device(self) -> str:
        """The host's end of the cable that carries the tunnels."""
        return f"ht-{self.name}"

    @property
    def network_namespace(self) -> Path:
        """Where its network namespace is pinned; ``ip netns`` knows it as ``hypernetes-<node>``."""
        return NETNS_DIRECTORY / f"hypernetes-{self.name}"

    @property
    def host_device(self) -> str:
        """The host's end of its virtual cable."""
        return f"hn-{self.name}"


def mount_namespace(installation: Installation, node: Node) -> Path:
    """Where the node's mount namespace is pinned."""
    return installation.layout.namespaces / f"{node.name}.mnt"


def inside(installation: Installation, node: Node) -> list[str | Path]:
    """The words before a command that is to run in the node."""
    return [
        "/usr/bin/nsenter",
        f"--net={node.network_namespace}",
        f"--mount={mount_namespace(installation, node)}",
        "--wd=/",
    ]


def fstab(directory: Path, dist: Path, hidden: Iterable[Path]) -> str:
    """The node's mounts as mount(8) reads them; what is hidden comes last, since the sources lie below it."""
    lines = [f"{directory / source} {target} none bind 0 0" for source, target in BINDS.items()]
    lines.append(f"{directory / 'etc/hypernetes/hosts'} {HOSTS} none bind 0 0")
    lines.append(f"{dist} {DIST_MOUNT} none bind,ro 0 0")
    lines += [f"tmpfs {path} tmpfs ro,size=4k,mode=0555 0 0" for path in hidden]
    return "\n".join(lines) + "\n"


def exists(installation: Installation, node: Node) -> bool:
    """Return whether both namespaces are there, whole."""
    return _is_namespace(node.network_namespace) and _is_namespace(mount_namespace(installation, node))


def create(installation: Installation, node: Node) -> None:
    """Create the node without any process in it; call ``remove`` first."""
    directory = installation.layout.node(node.name)
    shutil.rmtree(directory / "run", ignore_errors=True)
    for source in BINDS:
        (directory / source).mkdir(parents=True, exist_ok=True)
    _write_hosts(installation, node)
    installation.layout.dist.mkdir(parents=True, exist_ok=True)
    for target in (*BINDS.values(), str(DIST_MOUNT)):
        _create_directory(installation, Path(target))
    cgroups.create_node_roots(node.name)
    _create_network(installation, node)
    _create_mounts(installation, node)


def _create_network(installation: Installation, node: Node) -> None:
    if not NETNS_DIRECTORY.is_mount():
        # The first `ip netns add` makes this a mount point; `clean` undoes that.
        installation.record("mounts", str(NETNS_DIRECTORY))
        _create_directory(installation, NETNS_DIRECTORY)
    name = node.network_namespace.name
    machine.run(["ip", "netns", "add", name])
    enter = ["nsenter", f"--net={node.network_namespace}"]
    machine.run(["ip", "link", "add", node.host_device, "type", "veth", "peer", "name", "eth0", "netns", name])
    machine.run(["ip", "link", "set", node.host_device, "master", addresses.BRIDGE, "up"])
    machine.run([*enter, "ip", "link", "set", "lo", "up"])
    machine.run([*enter, "ip", "address", "add", f"{node.address}/{addresses.PREFIX_LENGTH}", "dev", "eth0"])
    machine.run([*enter, "ip", "link", "set", "eth0", "up"])
    machine.run([*enter, "ip", "route", "add", "default", "via", addresses.CONTROL])


def ensure_tunnel(node: Node) -> None:
    """Connect the node to the network of the tunnels, if it is not; the switch does the rest."""
    enter = ["nsenter", f"--net={node.network_namespace}"]
    if machine.succeeds([*enter, "ip", "link", "show", "dev", TUNNEL_DEVICE]):
        return
    name = node.network_namespace.name
    machine.run(["ip", "link", "add", node.tunnel_device, "type", "veth", "peer", "name", TUNNEL_DEVICE, "netns", name])
    machine.run(["ip", "link", "set", node.tunnel_device, "master", addresses.UNDERLAY, "up"])
    machine.run([*enter, "ip", "link", "set", TUNNEL_DEVICE, "up"])
    # A switch in user space gets frames as the sender left them, without the checksum that a device would fill in.
    machine.run(["ethtool", "-K", node.tunnel_device, "tx", "off"])
    machine.run([*enter, "ethtool", "-K", TUNNEL_DEVICE, "tx", "off"])


def connection_limit() -> list[str]:
    """Return the firewall's rule that limits the connections of each other machine to the node's apiserver."""
    return [
        "INPUT", "!", "--in-interface", "lo", "--protocol", "tcp", "--dport", str(APISERVER_PORT), "--syn",
        "--match", "connlimit", "--connlimit-above", str(CONNECTIONS_PER_SOURCE), "--connlimit-mask", "32",
        "--jump", "REJECT", "--reject-with", "tcp-reset",
    ]  # fmt: skip


def limit_connections(node: Node) -> None:
    """Have one source take no more than its share of the node's apiserver. Idempotent."""
    iptables = ["nsenter", f"--net={node.network_namespace}", "iptables", "--wait"]
    rule = connection_limit()
    if not machine.succeeds([*iptables, "--check", *rule]):
        machine.run([*iptables, "--append", *rule])


def _create_mounts(installation: Installation, node: Node) -> None:
    pin = mount_namespace(installation, node)
    pin.parent.mkdir(parents=True, exist_ok=True)
    if not pin.parent.is_mount():
        # A mount namespace can only be pinned where mounts do not propagate (unshare(1)).
        machine.run(["mount", "--bind", pin.parent, pin.parent])
        machine.run(["mount", "--make-private", pin.parent])
    pin.touch()
    machine.run(["unshare", f"--mount={pin}", "--propagation", "private", "true"])
    layout = installation.layout
    table = pin.with_suffix(".fstab")
    machine.write(table, fstab(layout.node(node.name), layout.dist, [layout.state]))
    machine.run(["nsenter", f"--mount={pin}", "mount", "--all", "--fstab", table])


def ensure_dist(installation: Installation, node: Node) -> None:
    """Have the node see the installation's distribution tree, also when another one is used since it was made."""
    pin = mount_namespace(installation, node)
    enter = ["nsenter", f"--mount={pin}"]
    wanted = installation.layout.dist.stat()
    shown = machine.run([*enter, "stat", "--format=%d:%i", DIST_MOUNT]).strip()
    if shown != f"{wanted.st_dev}:{wanted.st_ino}":
        # What runs keeps the files it has open.
        machine.run([*enter, "umount", "--lazy", DIST_MOUNT], check=False)
        machine.run([*enter, "mount", "-o", "bind,ro", installation.layout.dist, DIST_MOUNT])


def ensure_hosts(installation: Installation, node: Node) -> None:
    """Have the node see a hosts file of its own, also one that was created when nodes shared the machine's."""
    own = _write_hosts(installation, node)
    enter = ["nsenter", f"--mount={mount_namespace(installation, node)}"]
    wanted = own.stat()
    if machine.run([*enter, "stat", "--format=%d:%i", HOSTS]).strip() != f"{wanted.st_dev}:{wanted.st_ino}":
        # By its path inside: there the state directory is hidden.
        machine.run([*enter, "mount", "--bind", Path("/etc/hypernetes") / own.name, HOSTS])


def _write_hosts(installation: Installation, node: Node) -> Path:
    path = installation.layout.node(node.name) / "etc/hypernetes/hosts"
    if not path.exists():
        machine.write(path, FIRST_HOSTS)
    return path


def remove(installation: Installation, node: Node) -> None:
    """Stop everything in the node and remove its namespaces, link and cgroups; its files stay."""
    pin = mount_namespace(installation, node)
    kinds = [("net", _inode(node.network_namespace)), ("mnt", _inode(pin))]

    def members() -> list[process.ProcessIdentity]:
        found = {identity.pid: identity for identity in cgroups.node_members(node.name)}
        for kind, inode in kinds:
            if inode:
                found |= {identity.pid: identity for identity in process.in_namespace(kind, inode)}
        return list(found.values())

    cgroups.end_processes(members, grace=5)
    # The pin alone: beside it are those of other nodes.
    mounts.unmount_below(pin)
    pin.unlink(missing_ok=True)
    pin.with_suffix(".fstab").unlink(missing_ok=True)
    if node.network_namespace.exists():
        machine.run(["ip", "netns", "delete", node.network_namespace.name])
    for device in (node.host_device, node.tunnel_device):
        machine.run(["ip", "link", "delete", device], check=False)
    for root in cgroups.node_roots(node.name):
        cgroups.remove(root)


def _inode(pin: Path) -> int | None:
    return pin.stat().st_ino if _is_namespace(pin) else None


def _is_namespace(pin: Path) -> bool:
    """Return whether a namespace is pinned at a path: then the file lies on the kernel's nsfs, whose device differs."""
    try:
        return pin.stat().st_dev == os.stat("/proc/self/ns/net").st_dev  # noqa: PTH116 - follows the magic link
    except OSError:
        return False


def _create_directory(installation: Installation, directory: Path) -> None:
    """Create a directory outside of the state directory, recording it and the parents created with it."""
    missing = [path for path in (*reversed(directory.parents), directory) if not path.exists()]
    installation.record("folders", *(str(path) for path in missing))
    directory.mkdir(parents=True, exist_ok=True)
