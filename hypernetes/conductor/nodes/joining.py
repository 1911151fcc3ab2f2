# SPDX-License-Identifier: Apache-2.0
"""The steps by which a node becomes a worker of its cluster; ``membership`` says which one is in progress.

What the agent does is an order in the node's record; its result moves the node on
(:mod:`hypernetes.conductor.nodes.results`).
"""

from hypernetes.conductor import apiservers
from hypernetes.conductor import dependencies as context
from hypernetes.conductor import orders
from hypernetes.conductor.engine import outcome
from hypernetes.kubernetes import node_certificates
from hypernetes.kubernetes import nodes as kubernetes_nodes
from hypernetes.kubernetes import resources
from hypernetes.kubernetes.bootstrap import join
from hypernetes.kubernetes.bootstrap import kubeadm
from hypernetes.kubernetes.bootstrap import order_names
from hypernetes.kubernetes.bootstrap import phases
from hypernetes.model import errors
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states

_POLL = 1.0


def prepare(dependencies: context.Dependencies, node: records.Node) -> records.Node:
    """Have the agent start containerd and make the key of the kubelet's certificate.

    :raises outcome.Waiting: as long as this is the step in progress.
    """
    if node.membership is not states.Membership.PREPARING:
        return node
    cluster = active_cluster(dependencies, node)
    require_up(node)
    control = dependencies.db.nodes.get(cluster.control_node_ids[0])
    inputs = {
        order_names.KUBEADM_FILE: _configuration(dependencies, node),
        **apiservers.name_inputs(dependencies.conf, cluster, control.address),
    }
    orders.send(dependencies, node, cluster, phases.PREPARE_WORKER, inputs)
    raise outcome.Waiting("", orders.POLL_SECONDS)


def configure(dependencies: context.Dependencies, node: records.Node) -> records.Node:
    """Have the cluster sign the kubelet's certificate, and the agent configure and start the kubelet.

    :raises outcome.Waiting: as long as this is the step in progress.
    """
    if node.membership is not states.Membership.JOINING:
        return node
    cluster = active_cluster(dependencies, node)
    require_up(node)
    client = dependencies.clusters.for_cluster(cluster)
    certificate = node_certificates.issue(client, node.name, node.signing_request or "")
    if certificate is None:
        raise outcome.Waiting("Waiting for the cluster to sign the certificate of the node's kubelet.", _POLL)
    inputs = {
        order_names.KUBEADM_FILE: _configuration(dependencies, node),
        order_names.API_SERVER: apiservers.url(cluster),
        order_names.CA_CERTIFICATE: cluster.ca_certificate or "",
        order_names.NODE_CERTIFICATE: certificate,
    }
    orders.send(dependencies, node, cluster, phases.JOIN, inputs)
    raise outcome.Waiting("", orders.POLL_SECONDS)


def await_ready(dependencies: context.Dependencies, node: records.Node) -> records.Node:
    """Wait until Kubernetes has the node and finds it Ready.

    :raises outcome.Waiting: it is not.
    """
    if node.membership is not states.Membership.STARTING:
        return node
    cluster = active_cluster(dependencies, node)
    found = dependencies.clusters.for_cluster(cluster).find(resources.Node, node.name)
    approved = apiservers.approve_serving(dependencies, cluster)
    if found is None or not kubernetes_nodes.is_ready(found):
        raise outcome.Waiting("Waiting for the Kubernetes node to be Ready.", _POLL)
    if node.name not in approved:
        raise outcome.Waiting("Waiting for the kubelet to ask for its serving certificate.", _POLL)
    return dependencies.db.nodes.observe(
        node.id, expect=node.generation, membership=states.Membership.MEMBER, membership_reason=None
    )


STEPS = (prepare, configure, await_ready)


def active_cluster(dependencies: context.Dependencies, node: records.Node) -> records.Cluster:
    """Return the node's cluster.

    :raises outcome.Waiting: it is not ACTIVE; while it is being deleted, its own steps reset the node.
    """
    if node.cluster_id is None:
        raise errors.Conflict(kind=kinds.Kind.NODE, id=node.id, reason="it belongs to no cluster")
    cluster = dependencies.db.clusters.get(node.cluster_id)
    if cluster.status is not states.ClusterStatus.ACTIVE:
        raise outcome.Waiting(f"The cluster is {cluster.status}.", orders.POLL_SECONDS)
    return cluster


def require_up(node: records.Node) -> None:
    """Check that the agent can be expected to carry out an order.

    :raises outcome.Waiting: it does not report.
    """
    if node.status is not states.NodeStatus.UP or node.address is None:
        raise outcome.Waiting(f"Waiting for the agent: the node is {node.status}.", orders.POLL_SECONDS)


def _configuration(dependencies: context.Dependencies, node: records.Node) -> str:
    return join.configuration(
        join.WorkerSpec(
            node_name=node.name,
            node_address=node.address or "",
            cgroup_root=kubeadm.cgroup_root(node.name),
            ignored_preflight_checks=tuple(dependencies.conf.kubernetes.ignored_preflight_checks),
        )
    )
