# SPDX-License-Identifier: Apache-2.0
"""What nodes report of their phases; a result that is reported twice counts once.

The cluster is written before the order is cleared. If the conductor is killed between the two, the reconciler sees an
order that is not of the current phase, and replaces it.
"""

from oslo_log import log

from hypernetes.conductor import dependencies as context
from hypernetes.conductor.clusters import bootstrap
from hypernetes.conductor.clusters import progress
from hypernetes.conductor.engine import outcome
from hypernetes.kubernetes.bootstrap import phases
from hypernetes.model import errors
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.rpc import messages

LOG = log.getLogger(__name__)


def accept(
    dependencies: context.Dependencies, node: records.Node, order: messages.PhaseOrder, result: messages.PhaseResult
) -> None:
    """Move the cluster on by the result of a node's order."""
    try:
        cluster = dependencies.db.clusters.get(order.cluster_id)
        if order.phase == phases.RESET.name:
            _accept_reset(dependencies, node, cluster, result)
        elif order.phase == phases.RENEW.name:
            _accept_renewal(dependencies, node, cluster, result)
        elif cluster.status is states.ClusterStatus.CREATING and cluster.phase == order.phase:
            _accept_phase(dependencies, node, cluster, order, result)
    except errors.NotFound:
        LOG.info("Node %s reports phase %s of a cluster that is gone", node.name, order.phase)
    dependencies.db.nodes.observe(node.id, order=None)
    if result.ok:
        # After a failure there is no hurry: the next listing of unsettled clusters is soon enough.
        dependencies.wake(outcome.Key(kinds.Kind.CLUSTER, order.cluster_id))


def _accept_phase(
    dependencies: context.Dependencies,
    node: records.Node,
    cluster: records.Cluster,
    order: messages.PhaseOrder,
    result: messages.PhaseResult,
) -> None:
    phase = phases.get_phase(order.phase)
    seen: dict[str, str] = {}
    if not result.ok:
        progress.fail(dependencies, cluster, phase, node.name, result.message)
        return
    if phase.name == bootstrap.SIGN_CLIENT:
        try:
            key = dependencies.keys.decrypt(cluster.client_key_encrypted or "")
            seen = bootstrap.signed(dependencies.conf, cluster, key, result.outputs)
        except errors.HypernetesError as error:
            progress.fail(dependencies, cluster, phase, node.name, progress.cause(error))
            return
    LOG.info("Cluster %s: phase %s is done on %s: %s", cluster.id, phase.name, node.name, phase.summary)
    progress.advance(dependencies, cluster, phase, **seen)


def _accept_renewal(
    dependencies: context.Dependencies, node: records.Node, cluster: records.Cluster, result: messages.PhaseResult
) -> None:
    """Take the conductor's new certificate; after a failure the next audit orders the renewal again."""
    if cluster.status is not states.ClusterStatus.ACTIVE:
        return
    reason = result.message
    if result.ok:
        try:
            key = dependencies.keys.decrypt(cluster.client_key_encrypted or "")
            seen = bootstrap.signed(dependencies.conf, cluster, key, result.outputs)
        except errors.HypernetesError as error:
            reason = progress.cause(error)
        else:
            dependencies.db.clusters.observe(cluster.id, expect=cluster.generation, status_reason=None, **seen)
            LOG.info("Cluster %s: %s", cluster.id, phases.RENEW.summary)
            return
    failure = errors.PhaseFailed(phase=phases.RENEW.name, node=node.name, reason=progress.reason_text(reason))
    LOG.warning("Cluster %s: %s", cluster.id, failure)
    dependencies.db.clusters.observe(
        cluster.id, expect=cluster.generation, status_reason=f"{failure.message} {phases.RENEW.remedy}"
    )


def _accept_reset(
    dependencies: context.Dependencies, node: records.Node, cluster: records.Cluster, result: messages.PhaseResult
) -> None:
    if cluster.status is not states.ClusterStatus.DELETING:
        return
    if result.ok:
        dependencies.db.nodes.release(node.id, order=None)
        return
    reason = progress.reason_text(result.message)
    failure = errors.PhaseFailed(phase=phases.RESET.name, node=node.name, reason=reason)
    dependencies.db.clusters.observe(
        cluster.id,
        status_reason=f"{failure.message} {phases.RESET.remedy} The operation is then retried automatically.",
    )
