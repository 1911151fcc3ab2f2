# SPDX-License-Identifier: Apache-2.0
"""Clusters."""

from collections.abc import Mapping
from typing import Any

from cryptography import x509

from hypernetes import policies
from hypernetes.api import paging
from hypernetes.api import routing
from hypernetes.api.v1 import cluster_health
from hypernetes.api.v1 import nodes
from hypernetes.api.v1 import timestamps
from hypernetes.db import api as db_api
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states


def index(call: routing.Call) -> Mapping[str, Any]:
    """List the clusters, one page at a time."""
    view = _view_for(call)
    filters = {"name": call.query["name"]} if "name" in call.query else {}
    return paging.page(call, "clusters", call.services.database.clusters.list, view, **filters)


def show(call: routing.Call) -> Mapping[str, Any]:
    """Return a cluster, to an operator with its health as far as the database knows it."""
    cluster = call.services.database.clusters.get(call.path["id"])
    shown = _view_for(call)(cluster)
    if call.context.can(policies.clusters.GET_HEALTH):
        found = cluster_health.recorded(call.services, cluster)
        shown = {**shown, "health": cluster_health.worst(found).value}
    return shown


def health(call: routing.Call) -> Mapping[str, Any]:
    """Check a cluster: by the database, and by a conductor that asks its apiserver."""
    cluster = call.services.database.clusters.get(call.path["id"])
    checks = [*cluster_health.recorded(call.services, cluster), *cluster_health.asked(call.services, cluster)]
    return {
        "health": cluster_health.worst(checks).value,
        "checks": [{"name": one.name, "health": one.health.value, "detail": one.detail} for one in checks],
    }


def create(call: routing.Call) -> Mapping[str, Any]:
    """Request a cluster. 409 if its name or its node is taken."""
    api = call.services.conf.api
    version = call.body.get("kubernetes_version", api.kubernetes_versions[0])
    if version not in api.kubernetes_versions:
        allowed = ", ".join(api.kubernetes_versions)
        raise errors.BadRequest(reason=f"kubernetes_version {version} is not one of {allowed}")
    cluster = call.services.database.clusters.create(
        records.Cluster(
            id=ids.ClusterId(ids.new_uuid()),
            name=call.body["name"],
            status=states.ClusterStatus.CREATING,
            kubernetes_version=version,
            service_subnet=call.body.get("service_subnet", api.service_subnet),
            control_node_ids=tuple(_node_id(call.services.database, text) for text in call.body["control_nodes"]),
        )
    )
    call.services.wake(kinds.Kind.CLUSTER, cluster.id)
    return _view_for(call)(cluster)


def retry(call: routing.Call) -> Mapping[str, Any]:
    """Resume the bootstrap at the phase that failed. 409 unless the cluster is in ERROR."""
    cluster = call.services.database.clusters.retry(call.path["id"])
    call.services.wake(kinds.Kind.CLUSTER, cluster.id)
    return _view_for(call)(cluster)


def delete(call: routing.Call) -> None:
    """Request the deletion of the cluster. 409 while it has namespaces.

    With ``force`` its namespaces are deleted with it, and nothing is asked of its control node; 409 if that is UP.
    """
    clusters = call.services.database.clusters
    mark = clusters.mark_lost if call.query.get("force") == "true" else clusters.mark_deleting
    cluster = mark(call.path["id"])
    call.services.wake(kinds.Kind.CLUSTER, cluster.id)


def add_node(call: routing.Call) -> Mapping[str, Any]:
    """Request that a node become a worker of the cluster. 409 if it belongs to one, or the cluster is not ACTIVE."""
    database = call.services.database
    cluster = database.clusters.get(call.path["id"])
    node = database.nodes.join(_node_id(database, call.body["node"], "node"), cluster.id)
    call.services.wake(kinds.Kind.NODE, node.id)
    return nodes.view(node)


def remove_node(call: routing.Call) -> None:
    """Request that a worker leave the cluster. With ``force`` neither its pods nor its agent are waited for."""
    force = call.query.get("force") == "true"
    node = call.services.database.nodes.leave(call.path["node_id"], call.path["id"], force=force)
    call.services.wake(kinds.Kind.NODE, node.id)


def _node_id(database: db_api.Database, text: str, field: str = "control_nodes") -> ids.NodeId:
    try:
        node = database.nodes.resolve(text)
    except errors.NotFound as error:
        raise errors.BadRequest(reason=f"{field}: there is no node {text}") from error
    return node.id


class _View:
    """How a cluster is shown to a caller."""

    def __init__(self, *, with_control_nodes: bool) -> None:
        self._with_control_nodes = with_control_nodes

    def __call__(self, cluster: records.Cluster) -> Mapping[str, Any]:
        shown: dict[str, Any] = {
            "id": cluster.id,
            "name": cluster.name,
            "status": cluster.status.value,
            "status_reason": cluster.status_reason,
            "kubernetes_version": cluster.kubernetes_version,
            "service_subnet": cluster.service_subnet,
            "api_address": cluster.api_address,
            "ca_certificate": cluster.ca_certificate,
            "created_at": timestamps.format(cluster.created_at),
            "updated_at": timestamps.format(cluster.updated_at),
        }
        if self._with_control_nodes:
            shown |= {
                "control_node_ids": list(cluster.control_node_ids),
                "phase": cluster.phase,
                "certificates_expire_at": _expiry(cluster.client_certificate),
                "ca_expires_at": _expiry(cluster.ca_certificate),
            }
        return shown


def _expiry(pem: str | None) -> str | None:
    """Return when a certificate expires; None without one, or for one that cannot be read."""
    if pem is None:
        return None
    try:
        return timestamps.format(x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc)
    except ValueError:
        return None


def _view_for(call: routing.Call) -> _View:
    return _View(with_control_nodes=call.context.can(policies.clusters.GET_CONTROL_NODES))
