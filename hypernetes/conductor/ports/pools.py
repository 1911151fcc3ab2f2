# SPDX-License-Identifier: Apache-2.0
"""Gives sandboxes ready ports, while their agents wait: no request to Neutron is made here."""

from hypernetes.conductor import dependencies as context
from hypernetes.conductor.engine import outcome
from hypernetes.conductor.ports import pool_size
from hypernetes.model import ids
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.openstack.neutron import records as neutron
from hypernetes.rpc import messages


def bounds(dependencies: context.Dependencies) -> pool_size.Bounds:
    """Return the operator's limits of one pool."""
    options = dependencies.conf.port_pool
    return pool_size.Bounds(options.minimum, max(options.minimum, options.maximum))


class Pools:
    """The pools as the allocator uses them."""

    def __init__(self, dependencies: context.Dependencies) -> None:
        self._dependencies = dependencies

    def claim(
        self, node: records.Node, namespace: records.Namespace, sandbox: messages.Sandbox
    ) -> tuple[records.Port, neutron.Port] | None:
        """Return the port that a ready one has become for the sandbox, or None if none is ready.

        :raises errors.Conflict: when another request has allocated the sandbox's port.
        """
        database = self._dependencies.db
        pool = database.port_pools.find(namespace.id, node.id)
        if pool is None or namespace.network_id is None:
            return None

        def port(ready: records.ReadyPort) -> records.Port:
            return records.Port(
                id=ready.id,
                namespace_id=namespace.id,
                node_id=node.id,
                sandbox_id=ids.SandboxId(sandbox.sandbox_id),
                pod_uid=ids.PodUid(sandbox.pod_uid),
                pod_name=sandbox.pod_name,
                status=states.PortStatus.ACTIVE,
                neutron_port_id=ready.neutron_port_id,
                labeled=False,
            )

        claimed = database.ready_ports.claim(pool.id, port)
        if claimed is None:
            return None
        record, ready = claimed
        # The pod does not wait until Neutron has its name.
        self._dependencies.wake(outcome.Key(kinds.Kind.PORT, record.id))
        return record, _neutron_port(ready, namespace.project_id, namespace.network_id, node.name)

    def note_use(self, node: records.Node, namespace: records.Namespace, *, missed: bool) -> None:
        """Note that a pod has needed a port, and have the pool filled.

        :param missed: whether it found no ready port.
        """
        limits = bounds(self._dependencies)
        if not limits.enabled:
            return
        pool = self._dependencies.db.port_pools.note_use(
            namespace.id, node.id, lambda size: pool_size.after_use(size, limits, missed=missed)
        )
        self._dependencies.wake(outcome.Key(kinds.Kind.PORT_POOL, pool.id))

    def give_way(self, project_id: ids.ProjectId) -> bool:
        """Withdraw every ready port of a project whose quota is exhausted: a pod needs it more than a pool.

        :returns: whether there were any; they are deleted soon.
        """
        database = self._dependencies.db
        withdrawn = False
        for namespace in database.namespaces.list(project_id=project_id):
            for pool in database.port_pools.list(namespace_id=namespace.id):
                for ready in database.ready_ports.list(pool_id=pool.id):
                    withdrawn |= database.ready_ports.withdraw(ready.id)
                self._dependencies.wake(outcome.Key(kinds.Kind.PORT_POOL, pool.id))
        return withdrawn


def _neutron_port(
    ready: records.ReadyPort, project_id: ids.ProjectId, network_id: ids.NetworkId, host: str
) -> neutron.Port:
    # A port becomes READY in the write that records both.
    assert ready.neutron_port_id is not None
    assert ready.mac_address is not None
    return neutron.Port(
        id=ready.neutron_port_id,
        project_id=project_id,
        network_id=network_id,
        mac_address=ready.mac_address,
        addresses=ready.addresses,
        host=host,
        device_id="",
    )
