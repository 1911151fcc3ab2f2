# SPDX-License-Identifier: Apache-2.0
"""Clusters."""

from typing import Any
from typing import Self

from openstack import exceptions
from openstack import resource

from hypernetes.sdk import base

TOKEN_REVIEW_PATH = "/v1/clusters/{cluster_id}/tokenreview"  # noqa: S105 - a path
"""The request that stands for a login to a cluster in the access rules of application credentials."""


def token_review_path(cluster_id: str) -> str:
    """Return the path that an access rule must name to allow a login to a cluster."""
    return TOKEN_REVIEW_PATH.format(cluster_id=cluster_id)


class ClusterHealth(resource.Resource):
    """What was found of a cluster; for operators."""

    base_path = "/clusters/%(cluster_id)s/health"
    allow_fetch = True
    requires_id = False

    cluster_id = resource.URI("cluster_id")
    health = resource.Body("health")
    """The worst that was found: OK, UNKNOWN, WARNING or ERROR."""
    checks = resource.Body("checks", type=list)
    """For each part a dictionary with ``name``, ``health`` and ``detail``."""


class Cluster(base.Resource):
    """A Kubernetes cluster shared by many projects."""

    resources_key = "clusters"
    base_path = "/clusters"
    _query_mapping = base.QueryParameters("name")

    kubernetes_version = resource.Body("kubernetes_version")
    service_subnet = resource.Body("service_subnet")
    """CIDR of the addresses of Services."""
    api_address = resource.Body("api_address")
    """URL of the apiserver; None until it is known."""
    ca_certificate = resource.Body("ca_certificate")
    """PEM; the CA of the apiserver's certificate."""
    control_nodes = resource.Body("control_nodes")
    """Names or IDs of nodes; in a request only."""
    control_node_ids = resource.Body("control_node_ids")
    phase = resource.Body("phase")
    """The bootstrap's current phase; None once it is complete."""
    certificates_expire_at = resource.Body("certificates_expire_at")
    """When the control plane's certificates expire, unless they are renewed before."""
    ca_expires_at = resource.Body("ca_expires_at")
    health = resource.Body("health")
    """Shown to operators: OK, WARNING or ERROR, as far as the database knows."""

    def add_node(self, session: Any, node: str) -> None:
        """Add a worker node, by its name or ID."""
        exceptions.raise_from_response(session.post(self._nodes_path(), json={"node": node}))

    def remove_node(self, session: Any, node_id: str, *, force: bool) -> None:
        """Remove a worker node, by its ID."""
        path = f"{self._nodes_path()}/{base.quoted(node_id)}"
        exceptions.raise_from_response(session.delete(path, params={"force": "true"} if force else None))

    def force_delete(self, session: Any) -> None:
        """Delete a cluster whose control node is lost, with its namespaces."""
        path = f"{self.base_path}/{base.quoted_id(self)}"
        exceptions.raise_from_response(session.delete(path, params={"force": "true"}))

    def _nodes_path(self) -> str:
        return f"{self.base_path}/{base.quoted_id(self)}/nodes"

    def retry(self, session: Any) -> Self:
        """Resume the bootstrap at the phase that failed.

        :raises openstack.exceptions.ConflictException: when the cluster is not in ERROR.
        """
        response = session.post(f"{self.base_path}/{base.quoted_id(self)}/retry")
        exceptions.raise_from_response(response)
        self._translate_response(response)
        return self
