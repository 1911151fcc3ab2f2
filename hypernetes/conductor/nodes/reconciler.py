# SPDX-License-Identifier: Apache-2.0
"""Nodes: their credentials on the message bus, whether new pods may start there, and their way into a cluster."""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import ClassVar

from hypernetes.conductor import dependencies as context
from hypernetes.conductor.engine import steps
from hypernetes.conductor.nodes import joining
from hypernetes.conductor.nodes import leaving
from hypernetes.kubernetes import cordon
from hypernetes.model import errors
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states

Step = steps.Step[records.Node]

LEAVING = (states.Membership.DRAINING, states.Membership.RESETTING)
"""Memberships of nodes that are to get no more pods."""
MOVING = tuple(one for one in states.Membership if one is not states.Membership.MEMBER)
"""Memberships of nodes with something to do."""
_LEAVES = "The node is being removed from the cluster."


def ensure_topology(dependencies: context.Dependencies, node: records.Node) -> records.Node:
    """Make sure of the permissions and the binding of a node that is enrolled."""
    if node.token_hash is not None and dependencies.broker.has_node(node.name):
        dependencies.broker.ensure_topology(node.name)
    return node


def ensure_cordon(dependencies: context.Dependencies, node: records.Node) -> records.Node:
    """Cordon the Kubernetes node while the operator has disabled it or it is being drained, and no longer."""
    cluster = None if node.cluster_id is None else dependencies.db.clusters.get(node.cluster_id)
    if cluster is None or cluster.status is not states.ClusterStatus.ACTIVE:
        return node
    client = dependencies.clusters.for_cluster(cluster)
    leaves = node.membership in LEAVING
    wanted = node.disabled or leaves
    reason = _LEAVES if leaves else node.disabled_reason
    exists = cordon.ensure(client, node.name, disabled=wanted, reason=reason)
    cordoned = exists and wanted
    if cordoned == node.cordoned:
        return node
    return dependencies.db.nodes.observe(node.id, expect=node.generation, cordoned=cordoned)


def revoke(dependencies: context.Dependencies, node: records.Node) -> records.Node:
    """Delete the node's user on the message bus, and with it everything the node may do there."""
    dependencies.broker.remove_node(node.name)
    return node


def forget(dependencies: context.Dependencies, node: records.Node) -> records.Node:
    """Delete the record."""
    dependencies.db.nodes.delete(node.id)
    return node


STEPS_UP: tuple[Step, ...] = (ensure_topology, ensure_cordon, *joining.STEPS, *leaving.STEPS)
STEPS_DOWN: tuple[Step, ...] = (revoke, forget)


class NodeReconciler(steps.StepReconciler[records.Node]):
    """Keeps the topology of enrolled nodes, cordons disabled ones, adds and removes workers, revokes deleted ones."""

    kind: ClassVar[str] = kinds.Kind.NODE

    def load(self, identifier: str) -> records.Node:
        return self._dependencies.db.nodes.get(identifier)

    def steps(self, record: records.Node) -> Sequence[Step]:
        return STEPS_DOWN if record.status is states.NodeStatus.DELETING else STEPS_UP

    def unsettled(self) -> Iterable[str]:
        """Return the nodes to be revoked, to be cordoned and uncordoned, to be added to a cluster and removed."""
        nodes = self._dependencies.db.nodes
        found = (
            *nodes.list(status=states.NodeStatus.DELETING),
            *nodes.list_cordon_pending(),
            *nodes.list(membership=MOVING),
        )
        return {node.id for node in found}

    def audited(self) -> Iterable[str]:
        """Return the enrolled nodes.

        A message bus that was set up again has lost their bindings, and kubectl may have uncordoned a disabled one.
        """
        return [node.id for node in self._dependencies.db.nodes.list() if node.token_hash is not None]

    def note(self, record: records.Node, reason: str) -> None:
        if record.membership is None or record.membership_reason == reason:
            return
        try:
            self._dependencies.db.nodes.observe(record.id, expect=record.generation, membership_reason=reason)
        except errors.NotFound:
            return
