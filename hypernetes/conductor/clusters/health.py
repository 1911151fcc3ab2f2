# SPDX-License-Identifier: Apache-2.0
"""What an operator wants to know of a cluster and the database does not: its apiserver, etcd and Kubernetes nodes."""

from collections.abc import Iterable
from typing import Any

from hypernetes.conductor import dependencies as context
from hypernetes.conductor.clusters import storage
from hypernetes.kubernetes import client as clients
from hypernetes.kubernetes import nodes
from hypernetes.kubernetes import resources
from hypernetes.kubernetes import storage as storage_metrics
from hypernetes.model import errors
from hypernetes.model import records
from hypernetes.model import states

OF_THE_APISERVER = ("apiserver", "etcd", "nodes")
"""Names of the checks that ask the apiserver, in the order in which they are made."""


def check(dependencies: context.Dependencies, cluster: records.Cluster) -> list[records.Check]:
    """Return what is found; nothing is changed. What does not answer is asked once."""
    found = [_conductors(dependencies)]
    try:
        client = dependencies.clusters.for_cluster(cluster)
        ready = client.is_ready()
        detail = f"{cluster.api_address} is ready." if ready else f"{cluster.api_address} is not ready."
    except errors.HypernetesError as error:
        ready, detail = False, error.message
    found.append(records.Check("apiserver", states.Health.OK if ready else states.Health.ERROR, detail))
    if not ready:
        silent = "The apiserver could not be asked."
        return [*found, *(records.Check(name, states.Health.UNKNOWN, silent) for name in OF_THE_APISERVER[1:])]
    return [*found, _etcd(client, dependencies.conf.kubernetes.etcd_quota), _nodes(dependencies, client, cluster)]


def _conductors(dependencies: context.Dependencies) -> records.Check:
    try:
        count = dependencies.broker.count_conductors()
    except errors.HypernetesError as error:
        return records.Check("conductors", states.Health.WARNING, f"One has answered. {error.message}")
    return records.Check("conductors", states.Health.OK, f"{max(count, 1)} running.")


def _etcd(client: clients.ClusterClient, quota: int) -> records.Check:
    try:
        health, detail = storage.check(storage_metrics.database_size(client), quota)
    except errors.HypernetesError as error:
        health, detail = states.Health.UNKNOWN, error.message
    return records.Check("etcd", health, detail)


def _nodes(
    dependencies: context.Dependencies, client: clients.ClusterClient, cluster: records.Cluster
) -> records.Check:
    try:
        found = client.list(resources.Node)
    except errors.HypernetesError as error:
        return records.Check("nodes", states.Health.UNKNOWN, error.message)
    wanted = {node.name for node in dependencies.db.nodes.list(cluster_id=cluster.id)}
    return check_nodes(wanted, found)


def check_nodes(wanted: Iterable[str], found: Iterable[Any]) -> records.Check:
    """Return whether the Kubernetes nodes of a cluster's nodes are ready, and which of them are not or are cordoned.

    :param wanted: names of the cluster's nodes.
    :param found: the Kubernetes nodes.
    """
    by_name = {str(item.metadata.name): item for item in found if item.metadata is not None}
    names = sorted(set(wanted))
    ready = [name for name in names if name in by_name and nodes.is_ready(by_name[name])]
    sentences = [f"{len(ready)} of {len(names)} are Ready."]
    if missing := [name for name in names if name not in ready]:
        sentences.append(f"Not Ready: {', '.join(missing)}.")
    if cordoned := [name for name in ready if by_name[name].spec is not None and by_name[name].spec.unschedulable]:
        sentences.append(f"Cordoned: {', '.join(cordoned)}.")
    health = states.Health.OK
    if missing:
        health = states.Health.WARNING if ready else states.Health.ERROR
    return records.Check("nodes", health, " ".join(sentences))
