# SPDX-License-Identifier: Apache-2.0
"""The steps that delete a cluster: its nodes are reset, then the record goes."""

from hypernetes.conductor import dependencies as context
from hypernetes.conductor import orders
from hypernetes.conductor.clusters import progress
from hypernetes.conductor.engine import outcome
from hypernetes.kubernetes.bootstrap import phases
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states

NAMESPACES_POLL_SECONDS = 3.0

_GIVEN_UP = (states.Membership.LOST, states.Membership.LEAVING)


def delete_namespaces(dependencies: context.Dependencies, cluster: records.Cluster) -> records.Cluster:
    """Wait until the namespaces of a lost cluster are gone, with what they have in Neutron. Another one has none.

    :raises outcome.Waiting: there are some left.
    """
    left = dependencies.db.namespaces.list(cluster_id=cluster.id)
    for namespace in left:
        dependencies.wake(outcome.Key(kinds.Kind.NAMESPACE, namespace.id))
    if left:
        reason = f"Waiting for the deletion of {len(left)} namespaces."
        progress.note(dependencies, cluster, reason)
        raise outcome.Waiting(reason, NAMESPACES_POLL_SECONDS)
    return cluster


def reset_nodes(dependencies: context.Dependencies, cluster: records.Cluster) -> records.Cluster:
    """Release every node. One on which a phase has started is released when it has been reset.

    One that does not report is not waited for if it, or the cluster, is deleted by force; its order stays, in case it
    reports again.

    :raises outcome.Waiting: a node is not reset yet.
    """
    waiting_for = ""
    for node in dependencies.db.nodes.list(cluster_id=cluster.id):
        if not _has_started(cluster, node):
            dependencies.db.nodes.release(node.id, order=None)
            continue
        if (cluster.lost or node.membership in _GIVEN_UP) and node.status is not states.NodeStatus.UP:
            orders.write(dependencies.db, node, cluster, phases.RESET, {})
            dependencies.db.nodes.release(node.id)
            continue
        if node.status is states.NodeStatus.UP:
            orders.send(dependencies, node, cluster, phases.RESET, {})
            waiting_for = waiting_for or node.name
        else:
            progress.note(
                dependencies, cluster, f"Waiting for the node {node.name}, which is {node.status}, to be reset."
            )
            waiting_for = node.name
    if waiting_for:
        raise outcome.Waiting("", orders.POLL_SECONDS)
    return cluster


def forget(dependencies: context.Dependencies, cluster: records.Cluster) -> records.Cluster:
    """Delete the record and drop the client."""
    dependencies.db.clusters.delete(cluster.id)
    dependencies.clusters.forget(cluster.id)
    return cluster


STEPS = (delete_namespaces, reset_nodes, forget)


def _has_started(cluster: records.Cluster, node: records.Node) -> bool:
    """Tell whether anything of the cluster can be on the node.

    A node that never enrolled has no agent that could have carried out a phase.
    """
    if node.token_hash is None:
        return False
    return cluster.phase is not None or cluster.api_address is not None
