# SPDX-License-Identifier: Apache-2.0
"""Tenants' namespaces. Unless policy allows access to all projects, those of other projects are not found."""

from collections.abc import Mapping
from typing import Any

from hypernetes import policies
from hypernetes.api import paging
from hypernetes.api import routing
from hypernetes.api.v1 import namespace_labels
from hypernetes.api.v1 import timestamps
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import kinds
from hypernetes.model import names
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.model import subnets


def index(call: routing.Call) -> Mapping[str, Any]:
    """List the project's namespaces, or those of all projects for the operator, one page at a time."""
    filters: dict[str, str] = {name: call.query[name] for name in ("name", "cluster_id") if name in call.query}
    if call.query.get("all_projects") == "true":
        call.context.require(policies.namespaces.ALL_PROJECTS)
    else:
        filters["project_id"] = call.context.project
    return paging.page(call, "namespaces", call.services.database.namespaces.list, view, **filters)


def show(call: routing.Call) -> Mapping[str, Any]:
    """Return a namespace. 404 if it is another project's."""
    return view(_visible(call))


def create(call: routing.Call) -> Mapping[str, Any]:
    """Request a namespace. 409 if the name is taken in the cluster, 400 if it is reserved, 403 at the limit."""
    name = call.body["name"]
    if rule := names.reserved_rule(name):
        raise errors.NameReserved(name=name, rule=rule)
    cluster = _cluster(call)
    if "subnet_cidr" in call.body:
        cidr = call.body["subnet_cidr"]
        if obstacle := subnets.obstacle(cidr, cluster.service_subnet):
            raise errors.BadRequest(reason=f"subnet_cidr {cidr} {obstacle}")
    namespace = call.services.database.namespaces.create(
        records.Namespace(
            id=ids.NamespaceId(ids.new_uuid()),
            project_id=call.context.project,
            cluster_id=cluster.id,
            name=name,
            status=states.NamespaceStatus.CREATING,
            status_reason="Waiting for a conductor.",
            requested_network_id=call.body.get("network_id"),
            requested_cidr=call.body.get("subnet_cidr"),
            description=call.body.get("description"),
            labels=tuple(sorted(_labels(call, {}).items())),
        ),
        **_limits(call),
    )
    call.services.wake(kinds.Kind.NAMESPACE, namespace.id)
    return view(namespace)


def update(call: routing.Call) -> Mapping[str, Any]:
    """Change the description and labels of the namespace. 404 if it is another project's."""
    namespace = call.services.database.namespaces.describe(
        _visible(call).id,
        lambda before: call.body.get("description", before),
        lambda before: _labels(call, before),
    )
    call.services.wake(kinds.Kind.NAMESPACE, namespace.id)
    return view(namespace)


def delete(call: routing.Call) -> None:
    """Request the deletion of the namespace. 404 if it is another project's."""
    namespace = call.services.database.namespaces.mark_deleting(_visible(call).id)
    call.services.wake(kinds.Kind.NAMESPACE, namespace.id)


def _visible(call: routing.Call) -> records.Namespace:
    repository = call.services.database.namespaces
    if call.context.can(policies.namespaces.ALL_PROJECTS):
        return repository.get(call.path["id"])
    return repository.get_in_project(call.path["id"], call.context.project)


def _labels(call: routing.Call, before: Mapping[str, str]) -> Mapping[str, str]:
    return namespace_labels.merge(before, call.body.get("labels", {}), call.services.conf.api.namespace_labels)


def _limits(call: routing.Call) -> dict[str, int]:
    limit = call.services.conf.api.namespaces_per_project
    if limit < 0:
        return {}
    # The limit is counted under a lock of this record.
    call.services.database.projects.ensure(call.context.project)
    return {"per_project": limit}


def _cluster(call: routing.Call) -> records.Cluster:
    text = call.body["cluster"]
    try:
        return call.services.database.clusters.resolve(text)
    except errors.NotFound as error:
        raise errors.BadRequest(reason=f"there is no cluster {text}") from error


def view(namespace: records.Namespace) -> Mapping[str, Any]:
    """Return the representation of a namespace."""
    return {
        "id": namespace.id,
        "name": namespace.name,
        "project_id": namespace.project_id,
        "cluster_id": namespace.cluster_id,
        "status": namespace.status.value,
        "status_reason": namespace.status_reason,
        "description": namespace.description,
        "labels": dict(namespace.labels),
        "network_id": namespace.network_id,
        "subnet_id": namespace.subnet_id,
        "subnet_cidr": namespace.subnet_cidr,
        "router_id": namespace.router_id,
        "security_group_id": namespace.security_group_id,
        "created_at": timestamps.format(namespace.created_at),
        "updated_at": timestamps.format(namespace.updated_at),
    }
