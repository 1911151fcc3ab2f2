# SPDX-License-Identifier: Apache-2.0
"""The proxy: what ``connection.kubernetes`` offers. Every method raises openstacksdk's exceptions."""

from collections.abc import Iterator
from typing import Any

from openstack import proxy
from openstack import resource

from hypernetes.sdk.base import quoted_id
from hypernetes.sdk.base import Resource
from hypernetes.sdk.cluster import Cluster
from hypernetes.sdk.cluster import ClusterHealth
from hypernetes.sdk.namespace import Namespace
from hypernetes.sdk.node import Node

WAIT_SECONDS = 600
"""Default of the wait methods."""


class Proxy(proxy.Proxy):
    """Methods on clusters, nodes and namespaces, named and used as those of openstacksdk's own proxies."""

    def clusters(self, **query: Any) -> Iterator[Cluster]:
        """List clusters.

        :param query: ``name``, ``limit``, ``marker``, ``max_items``.
        """
        return self._list(Cluster, **query)

    def create_cluster(self, **attributes: Any) -> Cluster:
        """Create a cluster; its status is CREATING until the bootstrap has ended.

        :param attributes: ``name``, ``control_nodes`` and optionally ``kubernetes_version``, ``service_subnet``.
        """
        return self._create(Cluster, **attributes)

    def get_cluster(self, cluster: str | Cluster) -> Cluster:
        """Return a cluster.

        :param cluster: its ID or a :class:`Cluster`.
        """
        return self._get(Cluster, cluster)

    def find_cluster(self, name_or_id: str, ignore_missing: bool = True, **query: Any) -> Cluster | None:
        """Return the cluster with this name or ID, or None."""
        return Cluster.find(self, name_or_id, ignore_missing=ignore_missing, **query)

    def delete_cluster(self, cluster: str | Cluster, ignore_missing: bool = True) -> None:
        """Delete a cluster that has no namespaces; its nodes are reset."""
        self._delete(Cluster, cluster, ignore_missing=ignore_missing)

    def force_delete_cluster(self, cluster: str | Cluster) -> None:
        """Delete a cluster whose control node is lost, with its namespaces and what they have in Neutron."""
        self._get_resource(Cluster, cluster).force_delete(self)

    def add_cluster_node(self, cluster: str | Cluster, node: str | Node) -> None:
        """Add a worker node to a cluster; its ``membership`` is MEMBER once Kubernetes finds it Ready.

        :param node: its ID, its name or a :class:`Node`.
        """
        self._get_resource(Cluster, cluster).add_node(self, resource.Resource._get_id(node))

    def remove_cluster_node(self, cluster: str | Cluster, node: str | Node, force: bool = False) -> None:
        """Drain a worker node and remove it from its cluster; its ``cluster_id`` is None once it has left.

        :param node: its ID or a :class:`Node`.
        :param force: do not wait for its pods, nor for its agent, which resets the node if it ever reports again.
        """
        self._get_resource(Cluster, cluster).remove_node(self, resource.Resource._get_id(node), force=force)

    def retry_cluster(self, cluster: str | Cluster) -> Cluster:
        """Resume the bootstrap of a cluster in ERROR at the phase that failed."""
        return self._get_resource(Cluster, cluster).retry(self)

    def get_cluster_health(self, cluster: str | Cluster) -> ClusterHealth:
        """Check a cluster; only operators may.

        :param cluster: its ID or a :class:`Cluster`.
        """
        found = self._get_resource(Cluster, cluster)
        return self._get(ClusterHealth, requires_id=False, cluster_id=quoted_id(found))

    def nodes(self, **query: Any) -> Iterator[Node]:
        """List nodes.

        :param query: ``name``, ``cluster_id``, ``limit``, ``marker``, ``max_items``.
        """
        return self._list(Node, **query)

    def create_node(self, **attributes: Any) -> Node:
        """Create a node.

        :param attributes: ``name``, the node's host name.
        :returns: the node with its ``enrollment_secret``, which is never returned again.
        """
        return self._create(Node, **attributes)

    def get_node(self, node: str | Node) -> Node:
        """Return a node.

        :param node: its ID or a :class:`Node`.
        """
        return self._get(Node, node)

    def find_node(self, name_or_id: str, ignore_missing: bool = True, **query: Any) -> Node | None:
        """Return the node with this name or ID, or None."""
        return Node.find(self, name_or_id, ignore_missing=ignore_missing, **query)

    def update_node(self, node: str | Node, **attributes: Any) -> Node:
        """Disable or enable a node. What runs on a disabled one continues; new pods start elsewhere.

        :param node: its ID or a :class:`Node`.
        :param attributes: ``disabled``, and optionally ``disabled_reason`` of one that is disabled.
        """
        return self._update(Node, node, **attributes)

    def delete_node(self, node: str | Node, ignore_missing: bool = True) -> None:
        """Delete a node and revoke its credentials."""
        self._delete(Node, node, ignore_missing=ignore_missing)

    def namespaces(self, **query: Any) -> Iterator[Namespace]:
        """List the project's namespaces.

        :param query: ``name``, ``cluster_id``, ``limit``, ``marker``, ``max_items``; ``all_projects=True`` lists those
            of every project, which by default only an administrator may.
        """
        return self._list(Namespace, **query)

    def create_namespace(self, **attributes: Any) -> Namespace:
        """Create a namespace; its status is CREATING until its network and its Kubernetes objects exist.

        :param attributes: ``name``, ``cluster`` (name or ID) and optionally ``network_id`` or ``subnet_cidr``,
            ``description``, ``labels``.
        """
        return self._create(Namespace, **attributes)

    def get_namespace(self, namespace: str | Namespace) -> Namespace:
        """Return a namespace.

        :param namespace: its ID or a :class:`Namespace`.
        """
        return self._get(Namespace, namespace)

    def find_namespace(self, name_or_id: str, ignore_missing: bool = True, **query: Any) -> Namespace | None:
        """Return the project's namespace with this name or ID, or None.

        :param query: ``cluster_id``, ``all_projects``.
        """
        return Namespace.find(self, name_or_id, ignore_missing=ignore_missing, **query)

    def update_namespace(self, namespace: str | Namespace, **attributes: Any) -> Namespace:
        """Change a namespace's description and labels.

        :param namespace: its ID or a :class:`Namespace`.
        :param attributes: ``description`` (None removes it) and ``labels``, a dictionary of those that change; None as
            a value removes one.
        """
        return self._update(Namespace, namespace, **attributes)

    def delete_namespace(self, namespace: str | Namespace, ignore_missing: bool = True) -> None:
        """Delete a namespace with everything in it, and the network that was created for it."""
        self._delete(Namespace, namespace, ignore_missing=ignore_missing)

    def wait_for_status(
        self,
        res: Resource,
        status: str = "ACTIVE",
        failures: list[str] | None = None,
        interval: float = 2,
        wait: float = WAIT_SECONDS,
    ) -> Resource:
        """Wait until a cluster, node or namespace has a status.

        :param failures: statuses that end the wait with an error; ERROR if None.
        :param interval: seconds between two requests.
        :param wait: seconds.
        :raises openstack.exceptions.ResourceFailure: when its status is one of ``failures``.
        :raises openstack.exceptions.ResourceTimeout: when ``wait`` has passed.
        """
        return resource.wait_for_status(self, res, status, failures, interval, wait)

    def wait_for_delete(self, res: Resource, interval: float = 2, wait: float = WAIT_SECONDS) -> Resource:
        """Wait until a cluster, node or namespace no longer exists.

        :param interval: seconds between two requests.
        :param wait: seconds.
        :raises openstack.exceptions.ResourceTimeout: when ``wait`` has passed.
        """
        return resource.wait_for_delete(self, res, interval, wait)
