# SPDX-License-Identifier: Apache-2.0
"""The cluster ``demo``, created through the public API as an administrator would."""

from __future__ import annotations

from hypernetes.standalone import client
from hypernetes.standalone import machine
from hypernetes.standalone.cloud_api import Api
from hypernetes.standalone.component import Component
from hypernetes.standalone.installation import Installation

CLUSTER = "demo"
CONTROL_NODE = "node1"
CREATE_TIMEOUT = 420.0


def start(installation: Installation) -> None:
    """Create it unless it exists, and wait until it is ACTIVE.

    :raises StandaloneError: when it goes to ERROR; the text has the reason.
    """
    api = Api(installation, "admin")
    record = api.find("clusters", CLUSTER)
    if record and record["status"] == "ERROR":
        # As an operator would after fixing the cause: the bootstrap resumes at the phase that failed.
        client.openstack(installation, "admin", "kube", "cluster", "retry", CLUSTER, "--wait", timeout=CREATE_TIMEOUT)
    if record is None:
        client.openstack(
            installation, "admin", "kube", "cluster", "create", CLUSTER, "--control-node", CONTROL_NODE, "--wait",
            timeout=CREATE_TIMEOUT,
        )  # fmt: skip

    def settled() -> bool:
        record = api.find("clusters", CLUSTER)
        if record is None:
            raise machine.StandaloneError(f"cluster {CLUSTER} is gone")
        if record["status"] == "ERROR":
            raise machine.StandaloneError(f"cluster {CLUSTER}: {record['status_reason']}")
        return bool(record["status"] == "ACTIVE")

    machine.wait_until(settled, f"cluster {CLUSTER} ACTIVE", timeout=CREATE_TIMEOUT, interval=0.5)
    client.ensure_kubeconfig(installation, "admin", CLUSTER)


def ready(installation: Installation) -> bool:
    """Return whether its apiserver reports ready to a client with a Keystone token."""
    return client.kubectl_succeeds(installation, "admin", "get", "--raw", "/readyz")


COMPONENT = Component(
    name="cluster",
    summary="cluster demo, by the public API",
    needs=("agent-node1", "proxy", "neutron"),
    start=start,
    ready=ready,
    timeout=CREATE_TIMEOUT,
)
