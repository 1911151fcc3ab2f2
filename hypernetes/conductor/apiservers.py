# SPDX-License-Identifier: Apache-2.0
"""How nodes find and trust a cluster's apiserver, and it them: what control nodes and workers have in common."""

from oslo_config import cfg
from oslo_log import log

from hypernetes.conductor import dependencies as context
from hypernetes.kubernetes import serving_certificates
from hypernetes.kubernetes.bootstrap import kubeadm
from hypernetes.kubernetes.bootstrap import order_names
from hypernetes.model import records

LOG = log.getLogger(__name__)


def name_inputs(conf: cfg.ConfigOpts, cluster: records.Cluster, address: str | None) -> dict[str, str]:
    """Return the inputs by which a node finds the apiserver without DNS; none if the operator's DNS has its name.

    :param address: the control node's.
    """
    if cluster.endpoint is None or address is None or conf.kubernetes.api_domain:
        return {}
    return {order_names.API_HOST: cluster.endpoint, order_names.API_HOST_ADDRESS: address}


def url(cluster: records.Cluster) -> str:
    """Return the URL under which the cluster's kubelets reach the apiserver."""
    if cluster.endpoint is None:
        return cluster.api_address or ""
    return f"https://{kubeadm.endpoint(cluster.endpoint)}"


def approve_serving(dependencies: context.Dependencies, cluster: records.Cluster) -> tuple[str, ...]:
    """Approve the serving certificates that the cluster's nodes ask for; return the nodes that have one approved."""
    nodes = dependencies.db.nodes.list(cluster_id=cluster.id)
    addresses = {node.name: node.address for node in nodes if node.address is not None}
    result = serving_certificates.approve(dependencies.clusters.for_cluster(cluster), addresses)
    for sentence in result.refused:
        LOG.warning("Cluster %s: a request for a serving certificate is left pending: %s", cluster.id, sentence)
    return result.approved
