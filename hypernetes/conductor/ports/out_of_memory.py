# SPDX-License-Identifier: Apache-2.0
"""Reports to a pod's owner that the node ended the pod's virtual machine for want of memory.

Kubelet shows this as the last state of the containers, which the next start replaces. A node has no right to create
events in a tenant's namespace by its agent, so the conductor does it for the pod in its own records; a node supplies no
more than two numbers.
"""

import datetime

from oslo_log import log

from hypernetes.conductor import dependencies as context
from hypernetes.kubernetes.objects import events
from hypernetes.model import errors
from hypernetes.model import records
from hypernetes.rpc import messages

LOG = log.getLogger(__name__)

_MEBIBYTE = 1024 * 1024
_REASON = "MachineOOMKilled"


def report(
    dependencies: context.Dependencies, node: records.Node, port: records.Port, found: messages.OutOfMemory
) -> None:
    """Create the event of a sandbox's end. One that cannot be created is logged: events are kept for an hour anyway.

    :raises errors.BadRequest: a number is not one of bytes.
    """
    if not all(0 <= number < 2**63 for number in (found.used, found.allowed)):
        raise errors.BadRequest(reason="out_of_memory: the numbers of bytes are out of range")
    message = (
        f"The node {node.name} ended the pod's virtual machine for want of memory (OOMKilled): guest and emulator used "
        f"{found.used // _MEBIBYTE} MiB of the {found.allowed // _MEBIBYTE} MiB that the containers' memory and the "
        "RuntimeClass's overhead allow. It is not a container's own limit that was reached."
    )
    try:
        namespace = dependencies.db.namespaces.get(port.namespace_id)
        cluster = dependencies.db.clusters.get(namespace.cluster_id)
        event = events.pod_warning(
            namespace=namespace.name,
            pod_name=port.pod_name,
            pod_uid=port.pod_uid,
            # A repeated release finds the event of the first.
            name=f"{port.pod_name[:200]}.{port.id}",
            reason=_REASON,
            message=message,
            at=datetime.datetime.now(datetime.UTC),
        )
        dependencies.clusters.for_cluster(cluster).create(event)
    except errors.NameTaken:
        return
    except errors.HypernetesError as error:
        LOG.warning("Pod %s got no event that its machine was out of memory: %s", port.pod_uid, error)
