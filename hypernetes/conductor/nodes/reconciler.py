# SPDX-License-Identifier: Apache-2.0
"""Nodes: their credentials on the message bus."""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import ClassVar

from hypernetes.conductor import dependencies as context
from hypernetes.conductor.engine import steps
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states

Step = steps.Step[records.Node]


def ensure_topology(dependencies: context.Dependencies, node: records.Node) -> records.Node:
    """Make sure of the permissions and the binding of a node that is enrolled."""
    if node.token_hash is not None and dependencies.broker.has_node(node.name):
        dependencies.broker.ensure_topology(node.name)
    return node


def revoke(dependencies: context.Dependencies, node: records.Node) -> records.Node:
    """Delete the node's user on the message bus, and with it everything the node may do there."""
    dependencies.broker.remove_node(node.name)
    return node


def forget(dependencies: context.Dependencies, node: records.Node) -> records.Node:
    """Delete the record."""
    dependencies.db.nodes.delete(node.id)
    return node


STEPS_UP: tuple[Step, ...] = (ensure_topology,)
STEPS_DOWN: tuple[Step, ...] = (revoke, forget)


class NodeReconciler(steps.StepReconciler[records.Node]):
    """Keeps the topology of enrolled nodes and revokes deleted ones."""

    kind: ClassVar[str] = kinds.Kind.NODE

    def load(self, identifier: str) -> records.Node:
        return self._dependencies.db.nodes.get(identifier)

    def steps(self, record: records.Node) -> Sequence[Step]:
        return STEPS_DOWN if record.status is states.NodeStatus.DELETING else STEPS_UP

    def unsettled(self) -> Iterable[str]:
        """Return the nodes to be revoked."""
        return [node.id for node in self._dependencies.db.nodes.list(status=states.NodeStatus.DELETING)]

    def audited(self) -> Iterable[str]:
        """Return the enrolled nodes: a message bus that was set up again has lost their bindings."""
        return [node.id for node in self._dependencies.db.nodes.list() if node.token_hash is not None]
