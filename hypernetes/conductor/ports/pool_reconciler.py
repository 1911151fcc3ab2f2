# SPDX-License-Identifier: Apache-2.0
"""Fills pools of ready ports, and empties them when no pod has needed one for a while.

A port's record is written before Neutron is asked, and the description of the Neutron port names the record, as for the
ports of sandboxes. What a pod has used never returns to a pool.
"""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import ClassVar

import cachetools
from oslo_log import log

from hypernetes.conductor import dependencies as context
from hypernetes.conductor.engine import outcome
from hypernetes.conductor.engine import steps
from hypernetes.conductor.ports import pool_size
from hypernetes.conductor.ports import pools
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states

LOG = log.getLogger(__name__)

Step = steps.Step[records.PortPool]

VERIFY_SECONDS = 60.0
"""How long ready ports are not looked up in Neutron again; a tenant may delete them."""
_VERIFIED_POOLS = 4096
_FULL_SECONDS = 60.0
"""Seconds after which a pool is tried again that a quota or the project's maximum keeps from its size."""


def remove_withdrawn(dependencies: context.Dependencies, pool: records.PortPool) -> records.PortPool:
    """Delete the ports that nothing can claim any more, in Neutron and then here."""
    for ready in _ports(dependencies, pool, states.PortStatus.DELETING):
        _remove(dependencies, pool, ready)
    return pool


def complete(dependencies: context.Dependencies, pool: records.PortPool) -> records.PortPool:
    """Complete the ports whose creation was interrupted."""
    for ready in _ports(dependencies, pool, states.PortStatus.CREATING):
        _make(dependencies, pool, ready, is_new=False)
    return pool


def fill(dependencies: context.Dependencies, pool: records.PortPool) -> records.PortPool:
    """Create ports until the pool has its size; at most a batch of them."""
    options = dependencies.conf.port_pool
    present = len(dependencies.db.ready_ports.list(pool_id=pool.id))
    count = pool_size.missing(pool.size, present, _room(dependencies, pool), options.batch)
    for _ in range(count):
        ready = dependencies.db.ready_ports.create(
            records.ReadyPort(id=ids.PortRecordId(ids.new_uuid()), pool_id=pool.id, status=states.PortStatus.CREATING)
        )
        try:
            _make(dependencies, pool, ready, is_new=True)
        except errors.QuotaExceeded as error:
            _remove(dependencies, pool, ready)
            LOG.info("No more ready ports for namespace %s: %s", pool.namespace_id, error)
            raise outcome.Waiting("", _FULL_SECONDS) from error
    if present + count < pool.size:
        raise outcome.Waiting("", 0.0 if count == options.batch else _FULL_SECONDS)
    return pool


def trim(dependencies: context.Dependencies, pool: records.PortPool) -> records.PortPool:
    """Delete the oldest of more ports than the pool shall have."""
    ready = _ports(dependencies, pool, states.PortStatus.READY)
    for surplus in ready[: max(0, len(ready) - pool.size)]:
        _withdraw(dependencies, pool, surplus)
    return pool


def drain(dependencies: context.Dependencies, pool: records.PortPool) -> records.PortPool:
    """Delete every port of the pool."""
    for ready in dependencies.db.ready_ports.list(pool_id=pool.id):
        _withdraw(dependencies, pool, ready)
    return pool


def forget(dependencies: context.Dependencies, pool: records.PortPool) -> records.PortPool:
    """Delete the pool's record."""
    dependencies.db.port_pools.delete(pool.id)
    return pool


class PoolReconciler(steps.StepReconciler[records.PortPool]):
    """Keeps as many ready ports as the pool's size while pods start, and none afterwards."""

    kind: ClassVar[str] = kinds.Kind.PORT_POOL

    def __init__(self, dependencies: context.Dependencies) -> None:
        super().__init__(dependencies)
        self._verified: cachetools.TTLCache[str, bool] = cachetools.TTLCache(_VERIFIED_POOLS, VERIFY_SECONDS)

    def load(self, identifier: str) -> records.PortPool:
        return self._dependencies.db.port_pools.get(identifier)

    def steps(self, record: records.PortPool) -> Sequence[Step]:
        if not _is_needed(self._dependencies, record):
            return (drain, forget)
        return (remove_withdrawn, complete, self._verify, fill, trim)

    def unsettled(self) -> Iterable[str]:
        """Return every pool: they exist only while pods start, and cost Neutron nothing while they are full."""
        return [pool.id for pool in self._dependencies.db.port_pools.list()]

    def _verify(self, dependencies: context.Dependencies, pool: records.PortPool) -> records.PortPool:
        """Drop the ports that Neutron does not have any more, once in :data:`VERIFY_SECONDS`."""
        namespace = dependencies.db.namespaces.get(pool.namespace_id)
        ready = _ports(dependencies, pool, states.PortStatus.READY)
        if pool.id in self._verified or not ready or namespace.network_id is None:
            return pool
        living = {
            port_id for _, port_id in dependencies.cloud.ports.pod_ports(namespace.project_id, namespace.network_id)
        }
        for port in ready:
            if port.neutron_port_id not in living:
                LOG.warning("The ready port %s of namespace %s is gone", port.neutron_port_id, namespace.id)
                _withdraw(dependencies, pool, port)
        self._verified[pool.id] = True
        return pool


def _is_needed(dependencies: context.Dependencies, pool: records.PortPool) -> bool:
    namespace = dependencies.db.namespaces.get(pool.namespace_id)
    node = dependencies.db.nodes.get(pool.node_id)
    return (
        pools.bounds(dependencies).enabled
        and namespace.status is states.NamespaceStatus.ACTIVE
        and node.status is states.NodeStatus.UP
        and node.cluster_id == namespace.cluster_id
        and not dependencies.db.port_pools.idle(pool.id, dependencies.conf.port_pool.idle_after)
    )


def _ports(
    dependencies: context.Dependencies, pool: records.PortPool, status: states.PortStatus
) -> tuple[records.ReadyPort, ...]:
    return dependencies.db.ready_ports.list(pool_id=pool.id, status=status)


def _room(dependencies: context.Dependencies, pool: records.PortPool) -> int:
    """Return how many ready ports the project may still get."""
    namespace = dependencies.db.namespaces.get(pool.namespace_id)
    namespaces = tuple(found.id for found in dependencies.db.namespaces.list(project_id=namespace.project_id))
    siblings = tuple(found.id for found in dependencies.db.port_pools.list(namespace_id=namespaces))
    present = len(dependencies.db.ready_ports.list(pool_id=siblings))
    maximum: int = dependencies.conf.port_pool.project_maximum
    return maximum - present


def _make(
    dependencies: context.Dependencies, pool: records.PortPool, ready: records.ReadyPort, *, is_new: bool
) -> None:
    namespace = dependencies.db.namespaces.get(pool.namespace_id)
    if namespace.network_id is None or namespace.subnet_id is None or namespace.security_group_id is None:
        raise errors.Unavailable(service="The conductor", reason=f"the namespace {namespace.name} has no network")
    made = dependencies.cloud.ports.ensure(
        ready.id,
        project_id=namespace.project_id,
        network_id=namespace.network_id,
        subnet_id=namespace.subnet_id,
        security_group_id=namespace.security_group_id,
        host=dependencies.db.nodes.get(pool.node_id).name,
        is_new=is_new,
    )
    dependencies.db.ready_ports.observe(
        ready.id,
        neutron_port_id=made.id,
        mac_address=made.mac_address,
        addresses=made.addresses,
        status=states.PortStatus.READY,
    )


def _withdraw(dependencies: context.Dependencies, pool: records.PortPool, ready: records.ReadyPort) -> None:
    """Delete a port unless a sandbox has claimed it meanwhile."""
    if dependencies.db.ready_ports.withdraw(ready.id):
        _remove(dependencies, pool, ready)


def _remove(dependencies: context.Dependencies, pool: records.PortPool, ready: records.ReadyPort) -> None:
    namespace = dependencies.db.namespaces.get(pool.namespace_id)
    if ready.neutron_port_id is not None:
        dependencies.cloud.ports.delete(ready.neutron_port_id)
    else:
        # What was made just before a kill, or by a request whose answer came too late.
        host = dependencies.db.nodes.get(pool.node_id).name
        dependencies.cloud.ports.delete_duplicates(ready.id, namespace.project_id, host)
    dependencies.db.ready_ports.delete(ready.id)
