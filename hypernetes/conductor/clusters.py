# SPDX-License-Identifier: Apache-2.0
"""Clusters: the bootstrap phases in order, and the reset.

``cluster.phase`` names the phase being worked on. A phase for the node is an order in the node's record; the agent
learns it by a cast or at its next heartbeat, and its result moves the cluster on (:func:`take_result`). A phase for the
conductor is a step here. Both kinds are idempotent, so an interrupted one is run again.
"""

import time
from collections.abc import Callable
from collections.abc import Iterable
from typing import ClassVar

from lightkube.resources import core_v1 as core
from oslo_log import log

from hypernetes.conductor import bootstrap
from hypernetes.conductor import keys
from hypernetes.conductor import lease
from hypernetes.conductor import work
from hypernetes.kubernetes import verification
from hypernetes.kubernetes.bootstrap import phases
from hypernetes.kubernetes.objects import install
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.rpc import messages

LOG = log.getLogger(__name__)

_LOOK_AT_ORDER = 15.0
"""Seconds between two looks at a node's work; its result wakes us earlier."""

_POLL = 2.0
_GIVE_UP_AFTER = 12
"""Failures in a row after which a phase of the conductor's puts the cluster into ERROR: some ten minutes."""


# ---- phases of the conductor ----------------------------------------------------------------------------


def install_objects(world: work.World, cluster: records.Cluster) -> None:
    """Apply what makes an apiserver a Hypernetes cluster."""
    options = world.conf.kubernetes
    client = world.clusters.of(cluster)
    for item in install.cluster_objects(options.pod_overhead_memory, options.pod_overhead_cpu):
        client.apply(item)


def verify(world: work.World, cluster: records.Cluster) -> None:
    """The apiserver answers, the control nodes are Ready, and what must be refused is refused."""
    client = world.clusters.of(cluster)
    if not client.is_ready():
        raise work.Waiting("The apiserver is not ready yet.", _POLL)
    for node_id in cluster.control_node_ids[:1]:
        name = world.db.nodes.get(node_id).name
        node = client.find(core.Node, name)
        if node is None or not _is_ready(node):
            raise work.Waiting(f"The control node {name} is not Ready yet.", _POLL)
    if not verification.policies_are_in_force(client):
        raise work.Waiting("The admission policies are not in force yet.", _POLL)


CONDUCTOR_PHASES: dict[str, Callable[[work.World, records.Cluster], None]] = {
    "install-objects": install_objects,
    "verify": verify,
}


# ---- results of the nodes' phases -----------------------------------------------------------------------


def take_result(world: work.World, node: records.Node, result: messages.PhaseResult) -> None:
    """Move the cluster on by what a node's agent reports of its order; what is reported twice counts once.

    The cluster is written before the order is cleared: killed between the two, the reconciler sees an order that is
    not of the current phase and replaces it.
    """
    order = bootstrap.decode_order(node.order)
    if order is None or order.order_id != result.order_id:
        return
    try:
        cluster = world.db.clusters.get(order.cluster_id)
        if order.phase == phases.RESET.name:
            _take_reset(world, node, cluster, result)
        elif cluster.status is states.ClusterStatus.CREATING and cluster.phase == order.phase:
            _take_phase(world, node, cluster, order, result)
    except errors.NotFound:
        LOG.info("Node %s reports phase %s of a cluster that is gone", node.name, order.phase)
    world.db.nodes.observe(node.id, order=None)
    if result.ok:
        # After a failure nobody is in a hurry: the next look at unsettled clusters is soon enough.
        world.wake(work.Key(ClusterReconciler.kind, order.cluster_id))


def _take_phase(
    world: work.World,
    node: records.Node,
    cluster: records.Cluster,
    order: messages.PhaseOrder,
    result: messages.PhaseResult,
) -> None:
    phase = phases.named(order.phase)
    seen: dict[str, str] = {}
    if not result.ok:
        fail(world, cluster, phase, node.name, result.message)
        return
    if phase.name == "sign-client":
        try:
            seen = bootstrap.signed(world.keys.decrypt(cluster.client_key_encrypted or ""), result.outputs)
        except (errors.BadRequest, keys.KeyFileUnusable) as error:
            fail(world, cluster, phase, node.name, _cause(error))
            return
    LOG.info("Cluster %s: phase %s is done on %s", cluster.id, phase.name, node.name)
    advance(world, cluster, phase, **seen)


def _take_reset(world: work.World, node: records.Node, cluster: records.Cluster, result: messages.PhaseResult) -> None:
    if cluster.status is not states.ClusterStatus.DELETING:
        return
    if result.ok:
        world.db.nodes.observe(node.id, cluster_id=None)
        return
    failure = errors.PhaseFailed(phase=phases.RESET.name, node=node.name, reason=_sentence(result.message))
    world.db.clusters.observe(
        cluster.id, status_reason=f"{failure.message} {phases.RESET.remedy} It is tried again by itself."
    )


def advance(world: work.World, cluster: records.Cluster, phase: phases.Phase, **seen: str) -> None:
    """Go on to the phase after ``phase``, or to ACTIVE after the last one."""
    following = phases.after(phase.name)
    if following is None:
        world.db.clusters.observe(
            cluster.id,
            expect=cluster.generation,
            status=states.ClusterStatus.ACTIVE,
            status_reason=None,
            phase=None,
            **seen,
        )
    else:
        world.db.clusters.observe(
            cluster.id, expect=cluster.generation, phase=following.name, status_reason=progress(following), **seen
        )


def fail(world: work.World, cluster: records.Cluster, phase: phases.Phase, where: str, reason: str) -> None:
    """Put the cluster into ERROR with a reason that names the phase and what to do; a retry resumes at the phase."""
    failure = errors.PhaseFailed(phase=phase.name, node=where, reason=_sentence(reason))
    LOG.warning("Cluster %s: %s", cluster.id, failure)
    world.db.clusters.observe(
        cluster.id,
        expect=cluster.generation,
        status=states.ClusterStatus.ERROR,
        status_reason=f"{failure.message} {phase.remedy}",
    )


def progress(phase: phases.Phase) -> str:
    """The ``status_reason`` of a cluster that is working on a phase."""
    number = phases.PHASES.index(phase) + 1
    return f"Phase {number} of {len(phases.PHASES)}: {phase.name}."


# ---- the reconciler -------------------------------------------------------------------------------------


class ClusterReconciler:
    """Drives a cluster through its phases, and back."""

    kind: ClassVar[str] = "cluster"

    def __init__(self, world: work.World) -> None:
        self._world = world

    def reconcile(self, identifier: str, held: lease.Lease) -> work.Outcome:
        """One look at a cluster, and as many steps as can be done now."""
        try:
            cluster = self._world.db.clusters.get(identifier)
            try:
                return self._work(cluster, held)
            except (errors.HypernetesError, lease.LeaseLost, lease.Busy):
                raise
            except Exception:
                # A fault of ours. Its text is the operator's; its existence is the user's, who would wait for ever.
                current = self._world.db.clusters.get(identifier)
                self._note(current, errors.Unexpected(object=f"cluster {identifier}").detail)
                raise
        except errors.NotFound:
            return work.Settled()
        except errors.StaleGeneration:
            return work.Again(0.0)

    def _work(self, cluster: records.Cluster, held: lease.Lease) -> work.Outcome:
        match cluster.status:
            case states.ClusterStatus.CREATING:
                return self._create(cluster, held)
            case states.ClusterStatus.DELETING:
                return self._delete(cluster, held)
            case states.ClusterStatus.ACTIVE:
                return self._maintain(cluster)
            case _:
                return work.Settled()

    def unsettled(self) -> Iterable[str]:
        """Clusters on their way up or down. One in ERROR waits for a person."""
        wanted = (states.ClusterStatus.CREATING, states.ClusterStatus.DELETING)
        return [cluster.id for cluster in self._world.db.clusters.list(status=wanted)]

    def audited(self) -> Iterable[str]:
        """ACTIVE ones: what is installed in them is applied again, should somebody have changed it."""
        return [cluster.id for cluster in self._world.db.clusters.list(status=states.ClusterStatus.ACTIVE)]

    def _create(self, cluster: records.Cluster, held: lease.Lease) -> work.Outcome:
        world = self._world
        while cluster.status is states.ClusterStatus.CREATING:
            held.check()
            phase = phases.PHASES[0] if cluster.phase is None else phases.named(cluster.phase)
            if cluster.phase is None:
                cluster = world.db.clusters.observe(
                    cluster.id, expect=cluster.generation, phase=phase.name, status_reason=progress(phase)
                )
            if phase.where is phases.Where.NODE:
                return self._order(cluster, phase)
            outcome = self._carry_out(cluster, phase)
            if outcome is not None:
                return outcome
            cluster = world.db.clusters.get(cluster.id)
        return work.Settled()

    def _order(self, cluster: records.Cluster, phase: phases.Phase) -> work.Outcome:
        """Have the first control node work on a phase, unless it does already."""
        world = self._world
        node = world.db.nodes.get(cluster.control_node_ids[0])
        if node.status is not states.NodeStatus.UP or node.address is None:
            self._note(cluster, f"{progress(phase)} Waiting for the node {node.name}, which is {node.status}.")
            return work.Again(_LOOK_AT_ORDER)
        try:
            inputs = bootstrap.inputs(world.conf, phase, cluster, node)
            if phase.name == "sign-client":
                inputs = bootstrap.signing_inputs(self._private_key(cluster))
        except (errors.HypernetesError, keys.KeyFileUnusable) as error:
            fail(world, cluster, phase, node.name, _cause(error))
            return work.Settled()
        self._note(cluster, progress(phase))
        self._give(node, cluster, phase, inputs)
        return work.Again(_LOOK_AT_ORDER)

    def _give(self, node: records.Node, cluster: records.Cluster, phase: phases.Phase, inputs: dict[str, str]) -> None:
        order = bootstrap.decode_order(node.order)
        if order is None or order.cluster_id != cluster.id or order.phase != phase.name:
            order = messages.PhaseOrder(order_id=ids.new_uuid(), cluster_id=cluster.id, phase=phase.name, inputs=inputs)
            self._world.db.nodes.observe(node.id, order=bootstrap.encode_order(order))
        try:
            self._world.agents.run_phase(node.name, order)
        except errors.HypernetesError as error:
            LOG.info("Node %s could not be told of its order, its next heartbeat tells it: %s", node.name, error)

    def _private_key(self, cluster: records.Cluster) -> str:
        """The key of our client certificate; made and stored before anybody signs for it."""
        if cluster.client_key_encrypted is None:
            stored = self._world.keys.encrypt(keys.new_private_key())
            cluster = self._world.db.clusters.observe(
                cluster.id, expect=cluster.generation, client_key_encrypted=stored
            )
        return self._world.keys.decrypt(cluster.client_key_encrypted or "")

    def _carry_out(self, cluster: records.Cluster, phase: phases.Phase) -> work.Outcome | None:
        """Do a phase of the conductor's; None when it is done."""
        world = self._world
        try:
            CONDUCTOR_PHASES[phase.name](world, cluster)
        except work.Waiting as waiting:
            self._note(cluster, f"{progress(phase)} {waiting.reason}")
            if _overdue(cluster, phase):
                fail(world, cluster, phase, "the conductor", waiting.reason)
                return work.Settled()
            return work.Again(waiting.after)
        except (errors.Unavailable, errors.NotFound) as error:
            if world.failures(work.Key(self.kind, cluster.id)) >= _GIVE_UP_AFTER:
                fail(world, cluster, phase, "the conductor", error.message)
                return work.Settled()
            self._note(cluster, f"{progress(phase)} {error.message}")
            return work.Failed()
        except (errors.HypernetesError, keys.KeyFileUnusable) as error:
            fail(world, cluster, phase, "the conductor", _cause(error))
            return work.Settled()
        advance(world, cluster, phase)
        return None

    def _maintain(self, cluster: records.Cluster) -> work.Outcome:
        try:
            install_objects(self._world, cluster)
        except (errors.HypernetesError, keys.KeyFileUnusable) as error:
            LOG.warning("Cluster %s could not be audited: %s", cluster.id, error)
            self._note(cluster, str(error))
            return work.Failed()
        if cluster.status_reason is not None:
            self._world.db.clusters.observe(cluster.id, expect=cluster.generation, status_reason=None)
        return work.Settled()

    def _delete(self, cluster: records.Cluster, held: lease.Lease) -> work.Outcome:
        """Reset every control node, then forget the cluster."""
        world = self._world
        waiting = False
        for node_id in cluster.control_node_ids:
            held.check()
            node = world.db.nodes.get(node_id)
            if node.cluster_id != cluster.id:
                continue
            if cluster.phase is None and cluster.api_address is None:
                # No phase was ever begun there.
                world.db.nodes.observe(node.id, cluster_id=None, order=None)
                continue
            waiting = True
            if node.status is states.NodeStatus.UP:
                self._give(node, cluster, phases.RESET, {})
            else:
                self._note(cluster, f"Waiting for the node {node.name}, which is {node.status}, to be reset.")
        if waiting:
            return work.Again(_LOOK_AT_ORDER)
        world.db.clusters.delete(cluster.id)
        world.clusters.forget(cluster.id)
        return work.Settled()

    def _note(self, cluster: records.Cluster, reason: str) -> None:
        if cluster.status_reason != reason:
            self._world.db.clusters.observe(cluster.id, expect=cluster.generation, status_reason=reason)


def _is_ready(node: core.Node) -> bool:
    conditions = (node.status.conditions if node.status is not None else None) or []
    return any(condition.type == "Ready" and condition.status == "True" for condition in conditions)


def _overdue(cluster: records.Cluster, phase: phases.Phase) -> bool:
    return cluster.updated_at is not None and time.time() - cluster.updated_at.timestamp() > phase.timeout


def _cause(error: Exception) -> str:
    """Without the error's own remedy: the phase's is the one that helps."""
    return error.message if isinstance(error, errors.HypernetesError) else str(error)


def _sentence(text: str) -> str:
    """Without a final stop, since the template ends with one, and of bearable length."""
    return (text.strip() or "no reason was given").rstrip(".")[:2000]
