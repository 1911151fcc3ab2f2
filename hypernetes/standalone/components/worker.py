# SPDX-License-Identifier: Apache-2.0
"""A worker: a node that an administrator has added to the cluster, and how one is removed again."""

from __future__ import annotations

import shutil

from hypernetes.standalone import addresses
from hypernetes.standalone import client
from hypernetes.standalone import machine
from hypernetes.standalone import nodes
from hypernetes.standalone.cloud_api import Api
from hypernetes.standalone.component import Component
from hypernetes.standalone.components import cluster
from hypernetes.standalone.components import ovn
from hypernetes.standalone.installation import Installation

JOIN_TIMEOUT = 240.0
LEAVE_TIMEOUT = 240.0
WORKERS = tuple(addresses.NODES)[1:]
"""Every worker that there may be."""


def start(installation: Installation, name: str) -> None:
    """Add the node to the cluster unless it is a member, and wait until it is Ready."""
    if not ready(installation, name):
        client.openstack(
            installation, "admin", "kube", "cluster", "node", "add", cluster.CLUSTER, name, "--wait",
            timeout=JOIN_TIMEOUT,
        )  # fmt: skip


def ready(installation: Installation, name: str) -> bool:
    """Return whether the API reports the node as a member of its cluster."""
    record = Api(installation, "admin").find("nodes", name)
    return record is not None and record["membership"] == "MEMBER"


def retire(installation: Installation, name: str) -> None:
    """Remove a worker from the cluster, delete it, and stop and remove all of it on this machine."""
    supervisor = installation.node_supervisor(name)
    record = Api(installation, "admin").find("nodes", name)
    if record is not None:
        if record["cluster_id"] is not None:
            # One that does not run cannot be drained or reset.
            force = [] if supervisor.identity else ["--force"]
            client.openstack(
                installation, "admin", "kube", "cluster", "node", "remove", cluster.CLUSTER, name, "--wait", *force,
                timeout=LEAVE_TIMEOUT,
            )  # fmt: skip
        client.openstack(installation, "admin", "kube", "node", "delete", name, "--wait", timeout=LEAVE_TIMEOUT)
    supervisor.end(grace=10)
    nodes.remove(installation, nodes.Node(name))
    # ovn-controller removes its chassis when it is stopped, but not when it was killed.
    machine.run(
        ["ovn-sbctl", f"--db=unix:{ovn.socket(installation, 'sb')}", "--timeout=10", "--if-exists", "chassis-del", name]
    )
    shutil.rmtree(installation.layout.node(name))


def component(name: str) -> Component:
    """The table's row for one worker."""
    return Component(
        name=f"worker-{name}",
        summary=f"{name} as a worker of the cluster",
        needs=("cluster", f"agent-{name}"),
        start=lambda installation: start(installation, name),
        ready=lambda installation: ready(installation, name),
        timeout=JOIN_TIMEOUT,
        optional=True,
    )
