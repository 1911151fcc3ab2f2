# SPDX-License-Identifier: Apache-2.0
"""The service as openstacksdk sees it: three resources and a proxy; usable without the command line too."""

from collections.abc import Iterator
from typing import Any

from openstack import exceptions
from openstack import proxy
from openstack import resource

SERVICE_TYPE = "kubernetes"


class _Resource(resource.Resource):
    """What all resources of the service have in common: bodies are not wrapped, lists are paged by links."""

    allow_create = True
    allow_fetch = True
    allow_list = True
    allow_delete = True

    name = resource.Body("name")
    status = resource.Body("status")
    """Upper case; the states are in the API reference."""
    status_reason = resource.Body("status_reason")
    """Why it is in that status, and what to do; None if all is well."""
    created_at = resource.Body("created_at")
    updated_at = resource.Body("updated_at")


class Cluster(_Resource):
    """A Kubernetes cluster shared by many projects."""

    resources_key = "clusters"
    base_path = "/clusters"
    _query_mapping = resource.QueryParameters("name")

    kubernetes_version = resource.Body("kubernetes_version")
    service_subnet = resource.Body("service_subnet")
    api_address = resource.Body("api_address")
    ca_certificate = resource.Body("ca_certificate")
    control_nodes = resource.Body("control_nodes")
    """Only in a request: names or ids."""
    control_node_ids = resource.Body("control_node_ids")
    phase = resource.Body("phase")


class Node(_Resource):
    """A machine on which an agent runs."""

    resources_key = "nodes"
    base_path = "/nodes"
    _query_mapping = resource.QueryParameters("name")

    cluster_id = resource.Body("cluster_id")
    address = resource.Body("address")
    agent_version = resource.Body("agent_version")
    last_seen_at = resource.Body("last_seen_at")
    enrollment_secret = resource.Body("enrollment_secret")
    """Only in the answer to a creation, and only once."""
    enrollment_secret_expires_at = resource.Body("enrollment_secret_expires_at")


class Namespace(_Resource):
    """A namespace of a project, with its network."""

    resources_key = "namespaces"
    base_path = "/namespaces"
    _query_mapping = resource.QueryParameters("name", "cluster_id", "all_projects")

    cluster = resource.Body("cluster")
    """Only in a request: name or id."""
    cluster_id = resource.Body("cluster_id")
    project_id = resource.Body("project_id")
    network_id = resource.Body("network_id")
    subnet_id = resource.Body("subnet_id")
    subnet_cidr = resource.Body("subnet_cidr")
    router_id = resource.Body("router_id")
    security_group_id = resource.Body("security_group_id")


class Proxy(proxy.Proxy):
    """Verbs on clusters, nodes and namespaces; each raises openstacksdk's exceptions."""

    def clusters(self, **query: Any) -> Iterator[Cluster]:
        """Every cluster."""
        return self._list(Cluster, **query)

    def nodes(self, **query: Any) -> Iterator[Node]:
        """Every node."""
        return self._list(Node, **query)

    def namespaces(self, **query: Any) -> Iterator[Namespace]:
        """The project's namespaces; ``all_projects=True`` for everybody's, which policy must allow."""
        return self._list(Namespace, **query)

    def find(self, kind: type[_Resource], name_or_id: str) -> Any:
        """The one object of that name or id; raises ``NotFoundException`` or ``DuplicateResource``."""
        return self._find(kind, name_or_id, ignore_missing=False)

    def fetch(self, kind: type[_Resource], identifier: str) -> Any:
        """The object with that id; raises ``NotFoundException``."""
        return self._get(kind, identifier)

    def create(self, kind: type[_Resource], **attributes: Any) -> Any:
        """Ask for an object."""
        return self._create(kind, **attributes)

    def remove(self, kind: type[_Resource], identifier: str) -> None:
        """Ask for an object to go away."""
        self._delete(kind, identifier, ignore_missing=False)

    def retry_cluster(self, identifier: str) -> None:
        """Resume a cluster's bootstrap at the phase that failed."""
        exceptions.raise_from_response(self.post(f"/clusters/{identifier}/retry"))
