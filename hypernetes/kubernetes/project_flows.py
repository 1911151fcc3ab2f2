# SPDX-License-Identifier: Apache-2.0
"""Keeps each project's flow schemas and lane in a cluster; what they are for stands in the module of their builders."""

from collections.abc import Iterable
from collections.abc import Mapping

from lightkube.resources import flowcontrol_apiserver_v1 as flow

from hypernetes.kubernetes import client as kubernetes
from hypernetes.kubernetes.objects import flowcontrol
from hypernetes.model import ids
from hypernetes.model import labels
from hypernetes.model import records

_LOOKS = 3
"""Times that lanes are chosen; what still collides then is settled by the next audit."""
_MANAGED = {labels.MANAGED_BY: labels.FIELD_MANAGER}


def by_project(namespaces: Iterable[records.Namespace]) -> dict[ids.ProjectId, list[str]]:
    """Return the names of namespaces by their project."""
    found: dict[ids.ProjectId, list[str]] = {}
    for namespace in namespaces:
        found.setdefault(namespace.project_id, []).append(namespace.name)
    return found


def apply_project_flows(
    client: kubernetes.ClusterClient,
    namespaces: Mapping[ids.ProjectId, Iterable[str]],
    write_shares: int,
    *,
    complete: bool = False,
) -> None:
    """Apply the schemas and lanes of projects.

    :param namespaces: the names of all of a project's namespaces in the cluster.
    :param write_shares: see ``[kubernetes] tenant_write_shares``.
    :param complete: whether these are all projects of the cluster, so that the schemas and lanes of others are deleted.
    """
    for _ in range(_LOOKS):
        taken = _apply(client, namespaces, write_shares, _taken(client, namespaces, complete=complete))
        # Another conductor, or another worker of this one, may have chosen the same lane at the same time.
        seen = _taken(client, namespaces, complete=complete)
        if all(flowcontrol.lane_of(project_id, seen) == taken[project_id] for project_id in namespaces):
            break
    if complete:
        for name in flowcontrol.leftover(client.list(flow.FlowSchema, labels=_MANAGED), namespaces):
            client.delete(flow.FlowSchema, name)
        for name in flowcontrol.unused_lanes(client.list(flow.PriorityLevelConfiguration, labels=_MANAGED), taken):
            client.delete(flow.PriorityLevelConfiguration, name)


def _apply(
    client: kubernetes.ClusterClient,
    namespaces: Mapping[ids.ProjectId, Iterable[str]],
    write_shares: int,
    taken: dict[str, str],
) -> dict[str, str]:
    """Apply the schemas and lanes of projects once; return the lanes that are taken then, by project ID."""
    for project_id, mine in namespaces.items():
        taken[project_id] = flowcontrol.lane_of(project_id, taken)
        # First: a schema of a level that does not exist is ignored.
        client.apply(flowcontrol.lane_level(taken[project_id], write_shares))
        for schema in flowcontrol.project_schemas(project_id, mine, taken[project_id]):
            client.apply(schema)
    return taken


def _taken(
    client: kubernetes.ClusterClient, namespaces: Mapping[ids.ProjectId, Iterable[str]], *, complete: bool
) -> dict[str, str]:
    """Return the lanes in the cluster by project ID, without those of projects that are gone."""
    found = flowcontrol.lanes_taken(client.list(flow.FlowSchema, labels=_MANAGED))
    return {project_id: lane for project_id, lane in found.items() if project_id in namespaces or not complete}
