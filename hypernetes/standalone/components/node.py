# SPDX-License-Identifier: Apache-2.0
"""A node: its namespaces, its supervisor, Open vSwitch in user space and its chassis in OVN."""

from __future__ import annotations

import shutil
from pathlib import Path

from hypernetes.standalone import addresses
from hypernetes.standalone import machine
from hypernetes.standalone import nodes
from hypernetes.standalone import supervision
from hypernetes.standalone.component import Component
from hypernetes.standalone.components import ovn
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.nodes import Node
from hypernetes.standalone.supervision import Program

SWITCH_SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
SWITCH_SOCKET = "/run/openvswitch/db.sock"
UNDERLAY = "br-tunnel"
QUIET = ["-vconsole:warn", "-vfile:off", "-vsyslog:off"]


def external_ids(node: Node) -> dict[str, str]:
    """What ovn-controller reads of its own place in the network (ovn-controller(8))."""
    return {
        "system-id": node.name,
        "hostname": node.name,
        "ovn-remote": f"ssl:{addresses.CONTROL}:{addresses.OVN_SOUTHBOUND_PORT}",
        "ovn-encap-type": "geneve",
        "ovn-encap-ip": node.tunnel_address,
        "ovn-bridge-datapath-type": "netdev",
    }


def programs(installation: Installation, node: Node) -> list[Program]:
    """The node's network daemons; all paths are those inside the node."""
    chassis = Path("/etc/hypernetes/ovn")
    certificate = installation.layout.node(node.name) / "etc/hypernetes/ovn/chassis.crt"
    return [
        Program(
            name="ovsdb-server",
            command=[
                "/usr/sbin/ovsdb-server", "/run/openvswitch/conf.db", f"--remote=punix:{SWITCH_SOCKET}",
                "--unixctl=/run/openvswitch/ovsdb-server.ctl", *QUIET,
            ],
        ),
        Program(
            name="ovs-vswitchd",
            command=[
                "/usr/sbin/ovs-vswitchd", f"unix:{SWITCH_SOCKET}",
                "--pidfile=/run/openvswitch/ovs-vswitchd.pid", *QUIET,
            ],
        ),
        Program(
            name="ovn-controller",
            command=[
                "/usr/bin/ovn-controller", f"unix:{SWITCH_SOCKET}",
                f"--private-key={chassis / 'chassis.key'}",
                f"--certificate={chassis / 'chassis.crt'}",
                f"--ca-cert={chassis / 'ca.crt'}",
                "--pidfile=/run/ovn/ovn-controller.pid", *QUIET,
            ],
            files=[certificate],
        ),
        Program(name="underlay", command=["/bin/sh", "-c", underlay_script(node)]),
    ]  # fmt: skip


def underlay_script(node: Node) -> str:
    """Return what gives the bridge of the tunnels its address, also after the switch was started again.

    A bridge in user space is a device of the switch's process (ovs-vswitchd.conf.db(5), datapath_type): the switch
    finds the way to another node's tunnel by the address on it.
    """
    address = f"{node.tunnel_address}/{addresses.PREFIX_LENGTH}"
    return (
        "while :; do "
        f"ip address show dev {UNDERLAY} 2>/dev/null | grep -q ' {address} ' || {{ "
        f"ip address replace {address} dev {UNDERLAY} && ip link set {UNDERLAY} up && ethtool -K {UNDERLAY} tx off; "
        "} >/dev/null 2>&1; sleep 2; done"
    )


def switch(installation: Installation, node: Node) -> list[str | Path]:
    """The beginning of an ovs-vsctl command that speaks to the node's switch."""
    directory = installation.layout.node(node.name)
    return ["ovs-vsctl", f"--db=unix:{directory / 'run/openvswitch/db.sock'}", "--timeout=20"]


def start(installation: Installation, node: Node) -> None:
    """Bring the node up, or whatever of it is missing."""
    supervisor = installation.node_supervisor(node.name)
    if not (supervisor.identity and nodes.exists(installation, node)):
        supervisor.end(grace=10)
        nodes.remove(installation, node)
        nodes.create(installation, node)
    nodes.ensure_hosts(installation, node)
    nodes.ensure_tunnel(node)
    nodes.limit_connections(node)
    directory = installation.layout.node(node.name)
    _issue_chassis(installation, node)
    _supervise(installation, node)
    database = directory / "run/openvswitch/conf.db"
    if not database.exists():
        # It lies in /run on purpose: TAPs do not outlive a start of the node, so their ports must not either.
        machine.run(["ovsdb-tool", "create", database, SWITCH_SCHEMA])
    database_server, *rest = programs(installation, node)
    supervisor.apply(database_server)
    socket = directory / "run/openvswitch/db.sock"
    machine.wait_until(socket.exists, f"switch database of {node.name}", timeout=20)
    call = [*switch(installation, node), "--no-wait"]
    pairs = [f"external_ids:{name}={value}" for name, value in external_ids(node).items()]
    machine.run([*call, "init", "--", "set", "Open_vSwitch", ".", *pairs])
    for program in rest:
        supervisor.apply(program)
    machine.run(
        [*switch(installation, node), "--may-exist", "add-br", "br-int", "--", "set", "bridge", "br-int",
         "datapath_type=netdev", "fail_mode=secure", "--", "--may-exist", "add-br", UNDERLAY, "--", "set", "bridge",
         UNDERLAY, "datapath_type=netdev", "fail_mode=standalone", "--", "--may-exist", "add-port", UNDERLAY,
         nodes.TUNNEL_DEVICE]
    )  # fmt: skip


def _issue_chassis(installation: Installation, node: Node) -> None:
    """Give the node its certificate; OVN compares its common name with the chassis the node writes to."""
    certificate, key = installation.ca.issue(f"chassis-{node.name}", common_name=node.name)
    target = installation.layout.node(node.name) / "etc/hypernetes/ovn"
    machine.write(target / "chassis.key", key.read_text(), mode=0o600)
    machine.write(target / "chassis.crt", certificate.read_text())
    machine.write(target / "ca.crt", installation.layout.ca_certificate.read_text())
    # What nodes verify the API, RabbitMQ and the registry by.
    shutil.copyfile(installation.layout.ca_certificate, target.parent / "ca.pem")


def _supervise(installation: Installation, node: Node) -> None:
    text = supervision.render_daemon(
        socket=Path("/run/hypernetes/supervisor.sock"),
        run=Path("/run/hypernetes"),
        log=Path("/var/log/hypernetes"),
        include=Path("/etc/hypernetes/supervisor.d"),
    )
    directory = installation.layout.node(node.name)
    machine.write(directory / "etc/hypernetes/supervisord.conf", text)
    (directory / "etc/hypernetes/supervisor.d").mkdir(exist_ok=True)
    installation.node_supervisor(node.name).ensure_running(
        inside=nodes.inside(installation, node),
        configuration=Path("/etc/hypernetes/supervisord.conf"),
        keep_programs=True,
    )


def ready(installation: Installation, node: Node) -> bool:
    """Return whether OVN knows the chassis under its own certificate and the switch has its integration bridge."""
    socket = ovn.socket(installation, "sb")
    found = machine.run(
        ["ovn-sbctl", f"--db=unix:{socket}", "--timeout=5", "--bare", "--columns=name", "find", "chassis",
         f"name={node.name}"],
        check=False,
    )  # fmt: skip
    if not nodes.exists(installation, node) or found.strip() != node.name:
        return False
    shown = machine.run(
        ["nsenter", f"--net={node.network_namespace}", "ip", "address", "show", "dev", UNDERLAY], check=False
    )
    bridge = [*switch(installation, node), "br-exists", "br-int"]
    return node.tunnel_address in shown and machine.succeeds(bridge)


def component(name: str, *, optional: bool = False) -> Component:
    """The table's row for one node."""
    node = Node(name)
    return Component(
        name=name,
        summary=f"node {name} at {node.address}: switch and chassis",
        needs=("supervisor", "tls", "bridge", "ovn"),
        start=lambda installation: start(installation, node),
        ready=lambda installation: ready(installation, node),
        stop=lambda installation: nodes.remove(installation, node),
        timeout=60,
        optional=optional,
    )
