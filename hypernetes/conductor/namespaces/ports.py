# SPDX-License-Identifier: Apache-2.0
"""The ports of the namespace's pods, which are deleted before its network."""

from oslo_log import log

from hypernetes.conductor import dependencies as context
from hypernetes.conductor.engine import outcome
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states

LOG = log.getLogger(__name__)

_NAMED_PODS = 3


def await_ports(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """Release every port that is left: the pods are gone, so their nodes need none of them."""
    ports = dependencies.db.ports.list(namespace_id=namespace.id)
    pools = dependencies.db.port_pools.list(namespace_id=namespace.id)
    if not ports and not pools:
        _delete_stray_ports(dependencies, namespace)
        return namespace
    for port in ports:
        if port.status is not states.PortStatus.DELETING:
            dependencies.db.ports.mark_deleting(port.id)
        dependencies.wake(outcome.Key(kinds.Kind.PORT, port.id))
    for pool in pools:
        # A namespace that is not ACTIVE needs no ready ports: the pool's reconciler deletes them.
        dependencies.wake(outcome.Key(kinds.Kind.PORT_POOL, pool.id))
    waiting = f"{len(ports)} ports are being deleted." if ports else "Ready ports are being deleted."
    raise outcome.Waiting(waiting, 1.0)


def lost_ports(dependencies: context.Dependencies, namespace: records.Namespace) -> str | None:
    """Return a sentence about the pods whose ports the tenant has deleted or taken in Neutron; None if there are none.

    Such a pod runs on without a network, and Kubernetes does not notice.
    """
    recorded = dependencies.db.ports.list(namespace_id=namespace.id, status=states.PortStatus.ACTIVE)
    if not recorded or namespace.network_id is None:
        return None
    there = {port_id for _, port_id in dependencies.cloud.ports.pod_ports(namespace.project_id, namespace.network_id)}
    missing = {port.id for port in recorded if port.neutron_port_id not in there}
    if not missing:
        return None
    # Those that were released meanwhile are no longer ACTIVE.
    still = dependencies.db.ports.list(namespace_id=namespace.id, status=states.PortStatus.ACTIVE)
    lost = sorted(port.pod_name for port in still if port.id in missing)
    if not lost:
        return None
    LOG.warning("Namespace %s: the ports of %s were deleted or changed in Neutron", namespace.id, ", ".join(lost))
    named = ", ".join(lost[:_NAMED_PODS]) + (f" and {len(lost) - _NAMED_PODS} more" if len(lost) > _NAMED_PODS else "")
    return (
        f"The Neutron ports of these pods were deleted or changed, so that they have no network: {named}. Delete them."
    )


def _delete_stray_ports(dependencies: context.Dependencies, namespace: records.Namespace) -> None:
    """Delete pods' ports on the network that no record names: made by a request whose answer came too late."""
    if namespace.network_id is None:
        return
    # A tenant's own network may serve several namespaces, so the records of all count.
    for record_id, port_id in dependencies.cloud.ports.pod_ports(namespace.project_id, namespace.network_id):
        if not _is_recorded(dependencies, record_id):
            LOG.warning("Port %s of namespace %s has no record; deleting it", port_id, namespace.id)
            dependencies.cloud.ports.delete(port_id)


def _is_recorded(dependencies: context.Dependencies, record_id: ids.PortRecordId) -> bool:
    """Return whether the port is a pool's or a sandbox's, in this order: it moves from the one to the other."""
    for repository in (dependencies.db.ready_ports, dependencies.db.ports):
        try:
            repository.get(record_id)
        except errors.NotFound:
            continue
        return True
    return False
