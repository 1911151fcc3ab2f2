# SPDX-License-Identifier: Apache-2.0
"""The steps that delete a cluster: its control nodes are reset, then the record goes."""

from hypernetes.conductor import dependencies as context
from hypernetes.conductor.clusters import phases as bootstrap_phases
from hypernetes.conductor.clusters import progress
from hypernetes.conductor.engine import outcome
from hypernetes.kubernetes.bootstrap import phases
from hypernetes.model import records
from hypernetes.model import states


def reset_nodes(dependencies: context.Dependencies, cluster: records.Cluster) -> records.Cluster:
    """Release every control node. One on which a phase has started is released when it has been reset.

    :raises outcome.Waiting: a node is not reset yet.
    """
    waiting_for = ""
    for node_id in cluster.control_node_ids:
        node = dependencies.db.nodes.get(node_id)
        if node.cluster_id != cluster.id:
            continue
        if not _has_started(cluster, node):
            dependencies.db.nodes.observe(node.id, cluster_id=None, order=None)
            continue
        if node.status is states.NodeStatus.UP:
            bootstrap_phases.send_order(dependencies, node, cluster, phases.RESET, {})
            waiting_for = waiting_for or node.name
        else:
            progress.note(
                dependencies, cluster, f"Waiting for the node {node.name}, which is {node.status}, to be reset."
            )
            waiting_for = node.name
    if waiting_for:
        raise outcome.Waiting("", bootstrap_phases.ORDER_POLL_SECONDS)
    return cluster


def forget(dependencies: context.Dependencies, cluster: records.Cluster) -> records.Cluster:
    """Delete the record and drop the client."""
    dependencies.db.clusters.delete(cluster.id)
    dependencies.clusters.forget(cluster.id)
    return cluster


STEPS = (reset_nodes, forget)


def _has_started(cluster: records.Cluster, node: records.Node) -> bool:
    """Tell whether anything of the cluster can be on the node.

    A node that never enrolled has no agent that could have carried out a phase.
    """
    if node.token_hash is None:
        return False
    return cluster.phase is not None or cluster.api_address is not None
