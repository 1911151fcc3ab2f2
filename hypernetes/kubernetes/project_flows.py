# SPDX-License-Identifier: Apache-2.0
"""Keeps each project's flow schemas in a cluster; what they are for stands in the module of their builders."""

from collections.abc import Iterable
from collections.abc import Mapping

from lightkube.resources import flowcontrol_apiserver_v1 as flow

from hypernetes.kubernetes import client as kubernetes
from hypernetes.kubernetes.objects import flowcontrol
from hypernetes.model import ids
from hypernetes.model import labels
from hypernetes.model import records


def by_project(namespaces: Iterable[records.Namespace]) -> dict[ids.ProjectId, list[str]]:
    """Return the names of namespaces by their project."""
    found: dict[ids.ProjectId, list[str]] = {}
    for namespace in namespaces:
        found.setdefault(namespace.project_id, []).append(namespace.name)
    return found


def apply_project_flows(
    client: kubernetes.ClusterClient, namespaces: Mapping[ids.ProjectId, Iterable[str]], *, complete: bool = False
) -> None:
    """Apply the schemas of projects.

    :param namespaces: the names of all of a project's namespaces in the cluster.
    :param complete: whether these are all projects of the cluster, so that the schemas of others are deleted.
    """
    found = client.list(flow.FlowSchema, labels={labels.MANAGED_BY: labels.FIELD_MANAGER})
    taken = flowcontrol.lanes_taken(found)
    for project_id, mine in namespaces.items():
        taken[project_id] = flowcontrol.lane_of(project_id, taken)
        for schema in flowcontrol.project_schemas(project_id, mine, taken[project_id]):
            client.apply(schema)
    if complete:
        for name in flowcontrol.leftover(found, namespaces):
            client.delete(flow.FlowSchema, name)
