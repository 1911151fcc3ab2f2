# SPDX-License-Identifier: Apache-2.0
"""Releases ports: deletes them in Neutron, then their records."""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import ClassVar

from hypernetes.conductor import dependencies as context
from hypernetes.conductor.engine import steps
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states

Step = steps.Step[records.Port]


def delete(dependencies: context.Dependencies, port: records.Port) -> records.Port:
    """Delete the port in Neutron with its duplicates, then the record.

    Under the sandbox's lease: a request for the same sandbox may be creating what is deleted here.
    """
    with dependencies.leases.hold(f"sandbox:{port.sandbox_id}") as held:
        port = dependencies.db.ports.get(port.id)
        held.check()
        if port.neutron_port_id is not None:
            dependencies.cloud.ports.delete(port.neutron_port_id)
        # What was made just before a kill, or by a request whose answer came too late.
        namespace = dependencies.db.namespaces.get(port.namespace_id)
        node = dependencies.db.nodes.get(port.node_id)
        dependencies.cloud.ports.delete_duplicates(port.id, namespace.project_id, node.name)
        dependencies.db.ports.delete(port.id)
    return port


def label(dependencies: context.Dependencies, port: records.Port) -> records.Port:
    """Have Neutron's port name the pod that got it out of a pool."""
    if port.neutron_port_id is not None:
        dependencies.cloud.ports.label(port.neutron_port_id, port.pod_uid, port.pod_name)
    return dependencies.db.ports.observe(port.id, labeled=True)


class PortReconciler(steps.StepReconciler[records.Port]):
    """Finishes ports that are DELETING and labels those that come from a pool; others are their agents' concern."""

    kind: ClassVar[str] = kinds.Kind.PORT

    def load(self, identifier: str) -> records.Port:
        return self._dependencies.db.ports.get(identifier)

    def steps(self, record: records.Port) -> Sequence[Step]:
        if record.status is states.PortStatus.DELETING:
            return (delete,)
        return () if record.labeled else (label,)

    def unsettled(self) -> Iterable[str]:
        """Return the ports with work; :mod:`hypernetes.conductor.ports.garbage` looks after the others."""
        ports = self._dependencies.db.ports
        found = (*ports.list(status=states.PortStatus.DELETING), *ports.list(labeled=False))
        return {port.id for port in found}
