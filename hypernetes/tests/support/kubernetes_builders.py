# SPDX-License-Identifier: Apache-2.0
"""Small records for the tests of this package."""

from hypernetes.kubernetes.bootstrap import kubeadm
from hypernetes.model import ids
from hypernetes.model import records
from hypernetes.model import states


def namespace(network_id: str | None = "net-1") -> records.Namespace:
    """A namespace of red's."""
    return records.Namespace(
        id=ids.NamespaceId("ns-1"),
        project_id=ids.ProjectId("red"),
        cluster_id=ids.ClusterId("cluster-1"),
        name="web",
        status=states.NamespaceStatus.CREATING,
        network_id=None if network_id is None else ids.NetworkId(network_id),
    )


def cluster_spec(**changes: object) -> kubeadm.ClusterSpec:
    """A one-node cluster."""
    facts: dict[str, object] = {
        "cluster_name": "demo",
        "node_name": "node1",
        "node_address": "198.51.100.11",
        "kubernetes_version": "v1.37.2",
        "service_subnet": "10.96.0.0/16",
        "cgroup_root": kubeadm.cgroup_root("node1"),
        "certificate_validity": 365 * 24 * 3600,
        "eviction": {"memory.available": "100Mi"},
        **changes,
    }
    return kubeadm.ClusterSpec(**facts)  # type: ignore[arg-type]
