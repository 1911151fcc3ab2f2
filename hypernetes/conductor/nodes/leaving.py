# SPDX-License-Identifier: Apache-2.0
"""The steps by which a worker leaves its cluster; one that is removed by force begins at the last."""

from oslo_log import log

from hypernetes.conductor import dependencies as context
from hypernetes.conductor import orders
from hypernetes.conductor.engine import outcome
from hypernetes.conductor.nodes import joining
from hypernetes.kubernetes import nodes as kubernetes_nodes
from hypernetes.kubernetes import resources
from hypernetes.kubernetes.bootstrap import phases
from hypernetes.model import errors
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states

LOG = log.getLogger(__name__)

_POLL = 2.0
_NAMED = 3
"""Pods that a reason names; of more, the number is enough."""


def drain(dependencies: context.Dependencies, node: records.Node) -> records.Node:
    """Evict the node's pods, which :func:`hypernetes.conductor.nodes.reconciler.ensure_cordon` has cordoned.

    :raises outcome.Waiting: there are some left.
    """
    if node.membership is not states.Membership.DRAINING:
        return node
    cluster = joining.active_cluster(dependencies, node)
    client = dependencies.clusters.for_cluster(cluster)
    pods = kubernetes_nodes.evictable_pods(client, node.name)
    if pods:
        refused = kubernetes_nodes.evict(client, pods)
        sentences = [f"Waiting for {len(pods)} pods to leave the node."]
        sentences += [f"Not evicted yet: {'; '.join(refused[:_NAMED])}."] if refused else []
        raise outcome.Waiting(" ".join(sentences), _POLL)
    return dependencies.db.nodes.observe(
        node.id, expect=node.generation, membership=states.Membership.RESETTING, membership_reason=None
    )


def reset(dependencies: context.Dependencies, node: records.Node) -> records.Node:
    """Have the agent remove what belongs to the cluster.

    :raises outcome.Waiting: as long as this is the step in progress.
    """
    if node.membership is not states.Membership.RESETTING:
        return node
    cluster = joining.active_cluster(dependencies, node)
    if node.token_hash is None:
        # No agent has ever enrolled, so there is nothing to reset.
        return dependencies.db.nodes.observe(
            node.id, expect=node.generation, membership=states.Membership.LEAVING, order=None
        )
    joining.require_up(node)
    orders.send(dependencies, node, cluster, phases.RESET, {})
    raise outcome.Waiting("", orders.POLL_SECONDS)


def abandon(dependencies: context.Dependencies, node: records.Node) -> records.Node:
    """Order a lost node to reset itself, in case its agent ever reports again; nothing waits for it."""
    if node.membership is not states.Membership.LOST:
        return node
    if node.token_hash is not None:
        orders.send(dependencies, node, joining.active_cluster(dependencies, node), phases.RESET, {})
    return dependencies.db.nodes.observe(node.id, expect=node.generation, membership=states.Membership.LEAVING)


def leave(dependencies: context.Dependencies, node: records.Node) -> records.Node:
    """Delete the Kubernetes node and what is left of its pods, and release the node."""
    if node.membership is not states.Membership.LEAVING:
        return node
    cluster = joining.active_cluster(dependencies, node)
    dependencies.clusters.for_cluster(cluster).delete(resources.Node, node.name)
    for port in dependencies.db.ports.list(node_id=node.id):
        if port.status is not states.PortStatus.DELETING:
            LOG.info("Node %s has left its cluster; releasing the port %s", node.name, port.id)
            try:
                dependencies.db.ports.mark_deleting(port.id)
            except errors.NotFound:
                continue
        dependencies.wake(outcome.Key(kinds.Kind.PORT, port.id))
    for pool in dependencies.db.port_pools.list(node_id=node.id):
        dependencies.wake(outcome.Key(kinds.Kind.PORT_POOL, pool.id))
    LOG.info("Node %s has left cluster %s", node.name, cluster.id)
    return dependencies.db.nodes.release(node.id)


STEPS = (drain, reset, abandon, leave)
