# SPDX-License-Identifier: Apache-2.0
"""The bootstrap phases as steps of a cluster that is CREATING.

``cluster.phase`` names the phase in progress; the steps of earlier phases return at once. A phase of the node is an
order in the node's record: the agent receives it by a cast or with its next heartbeat, and its result moves the cluster
on (:mod:`hypernetes.conductor.clusters.results`). A phase of the conductor is carried out here. Both are idempotent.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from hypernetes.conductor import apiservers
from hypernetes.conductor import dependencies as context
from hypernetes.conductor import orders
from hypernetes.conductor.clusters import bootstrap
from hypernetes.conductor.clusters import keys
from hypernetes.conductor.clusters import progress
from hypernetes.conductor.engine import outcome
from hypernetes.conductor.engine import steps
from hypernetes.kubernetes import nodes as kubernetes_nodes
from hypernetes.kubernetes import project_flows
from hypernetes.kubernetes import resources
from hypernetes.kubernetes import verification
from hypernetes.kubernetes.bootstrap import phases
from hypernetes.kubernetes.objects import install
from hypernetes.kubernetes.objects import volumes
from hypernetes.model import names
from hypernetes.model import records
from hypernetes.model import states

_POLL = 2.0
_NEW_SECONDS = 60.0


def install_objects(dependencies: context.Dependencies, cluster: records.Cluster) -> records.Cluster:
    """Apply what makes an apiserver a Hypernetes cluster."""
    options = dependencies.conf.kubernetes
    client = dependencies.clusters.for_cluster(cluster)
    for item in install.cluster_objects(
        options.pod_overhead_memory,
        options.pod_overhead_cpu,
        cluster.service_subnet,
        tuple(options.image_registries),
        options.privileged_containers,
        bootstrap.write_pace_endpoint(dependencies.conf, cluster),
    ):
        client.apply(item)
    volumes.apply_storage_classes(client, options.storage_classes)
    namespaces = dependencies.db.namespaces.list(cluster_id=cluster.id)
    project_flows.apply_project_flows(
        client, project_flows.by_project(namespaces), options.tenant_write_shares, complete=True
    )
    return cluster


def verify(dependencies: context.Dependencies, cluster: records.Cluster) -> records.Cluster:
    """Check that the apiserver answers, the control nodes are Ready, and what must be refused is refused."""
    client = dependencies.clusters.for_cluster(cluster)
    if not client.is_ready():
        raise outcome.Waiting("The apiserver is not ready yet.", _POLL)
    approved = apiservers.approve_serving(dependencies, cluster)
    for node_id in cluster.control_node_ids[:1]:
        name = dependencies.db.nodes.get(node_id).name
        node = client.find(resources.Node, name)
        if node is None or not kubernetes_nodes.is_ready(node):
            raise outcome.Waiting(f"The control node {name} is not Ready yet.", _POLL)
        if name not in approved and _is_new(node):
            raise outcome.Waiting(f"The kubelet of {name} has not asked for its serving certificate yet.", _POLL)
    if not verification.policies_are_in_force(client):
        raise outcome.Waiting("The admission policies are not in force yet.", _POLL)
    return cluster


CONDUCTOR_PHASES: dict[str, Callable[[context.Dependencies, records.Cluster], records.Cluster]] = {
    "install-objects": install_objects,
    "verify": verify,
}


@dataclass(frozen=True, slots=True)
class PhaseStep:
    """The step that carries out one phase, or has the node do so, if the phase is the one in progress."""

    phase: phases.Phase

    def __str__(self) -> str:
        return self.phase.name

    def __call__(self, dependencies: context.Dependencies, cluster: records.Cluster) -> records.Cluster:
        phase = self.phase
        if cluster.phase is None and phase is phases.PHASES[0]:
            cluster = dependencies.db.clusters.observe(
                cluster.id,
                expect=cluster.generation,
                phase=phase.name,
                status_reason=progress.sentence(phase),
                # Recorded before anything is made with it: a later change of the option must not change the cluster.
                endpoint=names.api_host(cluster.name, dependencies.conf.kubernetes.api_domain),
            )
        if cluster.phase != phase.name or cluster.status is not states.ClusterStatus.CREATING:
            return cluster
        if phase.where is phases.Where.NODE:
            _order(dependencies, cluster, phase)
        CONDUCTOR_PHASES[phase.name](dependencies, cluster)
        return progress.advance(dependencies, cluster, phase)


STEPS: tuple[steps.Step[records.Cluster], ...] = tuple(PhaseStep(phase) for phase in phases.PHASES)
"""One step for each phase, in the order of the bootstrap."""


def _order(dependencies: context.Dependencies, cluster: records.Cluster, phase: phases.Phase) -> None:
    """Have the first control node work on a phase.

    :raises outcome.Waiting: always; the node's result wakes the cluster.
    """
    node = dependencies.db.nodes.get(cluster.control_node_ids[0])
    if node.status is not states.NodeStatus.UP or node.address is None:
        raise outcome.Waiting(f"Waiting for the node {node.name}, which is {node.status}.", orders.POLL_SECONDS)
    if phase.name == bootstrap.SIGN_CLIENT:
        inputs = bootstrap.signing_inputs(dependencies.conf, _private_key(dependencies, cluster))
    else:
        inputs = bootstrap.inputs(dependencies.conf, phase, cluster, node)
    orders.send(dependencies, node, cluster, phase, inputs)
    raise outcome.Waiting("", orders.POLL_SECONDS)


def _private_key(dependencies: context.Dependencies, cluster: records.Cluster) -> str:
    """Return the key of the conductor's client certificate; it is stored before a certificate is requested for it."""
    if cluster.client_key_encrypted is None:
        stored = dependencies.keys.encrypt(keys.new_private_key())
        cluster = dependencies.db.clusters.observe(cluster.id, expect=cluster.generation, client_key_encrypted=stored)
    return dependencies.keys.decrypt(cluster.client_key_encrypted or "")


def _is_new(node: resources.Node) -> bool:
    """Return whether a node registered so lately that its kubelet may not have asked yet."""
    made = node.metadata.creationTimestamp if node.metadata is not None else None
    return made is not None and time.time() - made.timestamp() < _NEW_SECONDS
