# SPDX-License-Identifier: Apache-2.0
"""What workers report of their orders; a result that is reported twice counts once.

The node's next step is written before the order is cleared, as for clusters. After a failure the step is repeated at
the next listing of unsettled nodes: all of them are idempotent, and no cluster fails because of one worker.
"""

from oslo_log import log

from hypernetes.conductor import dependencies as context
from hypernetes.conductor import orders
from hypernetes.conductor.engine import outcome
from hypernetes.kubernetes import node_certificates
from hypernetes.kubernetes import resources
from hypernetes.kubernetes.bootstrap import order_names
from hypernetes.kubernetes.bootstrap import phases
from hypernetes.model import errors
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.rpc import messages

LOG = log.getLogger(__name__)

_REASON_LENGTH = 2000


def accept(
    dependencies: context.Dependencies, node: records.Node, order: messages.PhaseOrder, result: messages.PhaseResult
) -> bool:
    """Move the node on by the result of its order; return False if the order is one of its cluster."""
    if order.phase == phases.RESET.name and (node.cluster_id is None or node.membership is states.Membership.LEAVING):
        _accept_late_reset(dependencies, node, order, result)
        return True
    if node.membership is None or _is_cluster_deleted(dependencies, node):
        return False
    seen: dict[str, object] = {"membership_reason": None}
    reason = "" if result.ok else result.message or "no reason was given"
    if not reason:
        try:
            seen |= _progress(node, order, result)
        except errors.HypernetesError as error:
            reason = error.message
    if reason:
        failure = errors.WorkerPhaseFailed(phase=order.phase, node=node.name, reason=reason.strip().rstrip("."))
        LOG.warning("Node %s: %s", node.id, failure)
        seen["membership_reason"] = str(failure)[:_REASON_LENGTH]
    try:
        dependencies.db.nodes.observe(node.id, expect=node.generation, order=None, **seen)
    except errors.StaleGeneration:
        # The intent has changed meanwhile: what was done for the old one counts for nothing.
        dependencies.db.nodes.clear_order(node.id, node.order or "")
    if not reason:
        dependencies.wake(outcome.Key(kinds.Kind.NODE, node.id))
    return True


def _progress(node: records.Node, order: messages.PhaseOrder, result: messages.PhaseResult) -> dict[str, object]:
    """Return the fields that a successful order changes; none if it was for a step that is no longer in progress."""
    match (order.phase, node.membership):
        case (phases.PREPARE_WORKER.name, states.Membership.PREPARING):
            request = result.outputs.get(order_names.NODE_CSR, "")
            refusal = node_certificates.refusal(request, node.name)
            if refusal is not None:
                raise errors.BadRequest(reason=f"the node's certificate signing request is not accepted: {refusal}")
            return {"signing_request": request, "membership": states.Membership.JOINING}
        case (phases.JOIN.name, states.Membership.JOINING):
            return {"membership": states.Membership.STARTING}
        case (phases.RESET.name, states.Membership.RESETTING):
            return {"membership": states.Membership.LEAVING}
    return {}


def _accept_late_reset(
    dependencies: context.Dependencies, node: records.Node, order: messages.PhaseOrder, result: messages.PhaseResult
) -> None:
    """Take the result of a node that was removed by force and reports again."""
    if not result.ok:
        LOG.warning("Node %s could not be reset, which is repeated: %s", node.name, result.message)
        again = orders.new(order.cluster_id, phases.RESET, {})
        dependencies.db.nodes.observe(node.id, order=orders.encode(again))
        return
    try:
        cluster = dependencies.db.clusters.get(order.cluster_id)
        if cluster.status is states.ClusterStatus.ACTIVE:
            # Its kubelet may have registered it again before the agent removed the kubelet.
            dependencies.clusters.for_cluster(cluster).delete(resources.Node, node.name)
    except errors.NotFound:
        LOG.info("Node %s was reset; its cluster is gone", node.name)
    dependencies.db.nodes.observe(node.id, order=None)


def _is_cluster_deleted(dependencies: context.Dependencies, node: records.Node) -> bool:
    if node.cluster_id is None:
        return True
    return dependencies.db.clusters.get(node.cluster_id).status is states.ClusterStatus.DELETING
