# SPDX-License-Identifier: Apache-2.0
"""Kubernetes nodes of machines that have left the cluster and register again.

A kubelet's certificate cannot be revoked: that of a node which was removed by force is valid until it expires.
"""

from oslo_log import log

from hypernetes.conductor import dependencies as context
from hypernetes.kubernetes import resources
from hypernetes.model import records

LOG = log.getLogger(__name__)


def remove_strangers(dependencies: context.Dependencies, cluster: records.Cluster) -> records.Cluster:
    """Delete the Kubernetes nodes of Hypernetes' nodes that do not belong to the cluster, so that no pod goes there."""
    client = dependencies.clusters.for_cluster(cluster)
    registered = {str(item.metadata.name) for item in client.list(resources.Node) if item.metadata is not None}
    # Read after the list: a node is recorded as the cluster's before its kubelet can register.
    strangers = {node.name for node in dependencies.db.nodes.list() if node.cluster_id != cluster.id}
    for name in sorted(registered & strangers):
        LOG.warning("Cluster %s: node %s does not belong to it, and is deleted there", cluster.id, name)
        client.delete(resources.Node, name)
    return cluster
