# SPDX-License-Identifier: Apache-2.0
"""A cluster's health: what the database knows of it, and what a conductor finds out.

The first part needs no conductor and no apiserver, so that an operator gets an answer when they do not run.
"""

import collections
import datetime
from collections.abc import Iterable
from collections.abc import Sequence

from hypernetes.api import services
from hypernetes.model import errors
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.rpc import messages

REMOTE = ("conductors", "apiserver", "etcd", "nodes")
"""Names of the checks that a conductor makes."""

_SEVERITY = list(states.Health)
_NAMED = 3
"""Objects that are named; of more, the number is enough."""


def worst(checks: Iterable[records.Check]) -> states.Health:
    """Return the worst that was found."""
    return max((check.health for check in checks), key=_SEVERITY.index, default=states.Health.OK)


def recorded(offered: services.Services, cluster: records.Cluster) -> list[records.Check]:
    """Return what the database knows of a cluster."""
    database = offered.database
    namespaces = database.namespaces.list(cluster_id=cluster.id)
    ports = database.ports.count_by("status", namespace_id=[namespace.id for namespace in namespaces])
    now = datetime.datetime.now(datetime.UTC)
    return [
        check_status(cluster),
        check_agents(database.nodes.list(cluster_id=cluster.id), now),
        check_namespaces(namespaces),
        check_ports({str(status): count for status, count in ports.items()}),
    ]


def asked(offered: services.Services, cluster: records.Cluster) -> list[records.Check]:
    """Return what a conductor finds out about a cluster; that none answers is a result as well."""
    try:
        results = offered.conductor.check_cluster(messages.CheckCluster(cluster_id=cluster.id))
    except errors.HypernetesError as error:
        unknown = [records.Check(name, states.Health.UNKNOWN, "No conductor has answered.") for name in REMOTE[1:]]
        return [records.Check(REMOTE[0], states.Health.ERROR, error.message), *unknown]
    return [records.Check(one.name, one.health, one.detail) for one in results.checks]


def check_status(cluster: records.Cluster) -> records.Check:
    """Return the health by the cluster's own status."""
    health = states.Health.OK
    if cluster.status is states.ClusterStatus.ERROR:
        health = states.Health.ERROR
    elif cluster.status is not states.ClusterStatus.ACTIVE or cluster.status_reason:
        health = states.Health.WARNING
    return records.Check("status", health, ": ".join(filter(None, (cluster.status.value, cluster.status_reason))))


def check_agents(nodes: Sequence[records.Node], now: datetime.datetime) -> records.Check:
    """Return whether the agents report, and which of them has been silent for longest."""
    up = [node for node in nodes if node.status is states.NodeStatus.UP]
    sentences = [f"{len(up)} of {len(nodes)} nodes are UP."]
    if silent := [node.name for node in nodes if node.status is not states.NodeStatus.UP]:
        sentences.append(f"Not UP: {_names(silent)}.")
    if problems := [f"{node.name}: {node.status_reason}" for node in up if node.status_reason]:
        sentences += problems[:_NAMED]
    if disabled := [node.name for node in nodes if node.disabled]:
        sentences.append(f"Disabled: {_names(disabled)}.")
    if seen := [(node.last_seen_at, node.name) for node in nodes if node.last_seen_at is not None]:
        moment, name = min(seen)
        sentences.append(f"Oldest heartbeat: {name}, {max((now - moment).total_seconds(), 0):.0f} s ago.")
    health = states.Health.WARNING if silent or problems else states.Health.OK
    return records.Check("agents", health if up else states.Health.ERROR, " ".join(sentences))


def check_namespaces(namespaces: Sequence[records.Namespace]) -> records.Check:
    """Return how many namespaces are not settled, and which of them have failed."""
    counts = collections.Counter(namespace.status.value for namespace in namespaces)
    failed = [one.name for one in namespaces if one.status is states.NamespaceStatus.ERROR]
    sentences = [_counted(counts)]
    if failed:
        sentences.append(f"In ERROR: {_names(failed)}.")
    return records.Check("namespaces", states.Health.WARNING if failed else states.Health.OK, " ".join(sentences))


def check_ports(counts: dict[str, int]) -> records.Check:
    """Return how many ports of pods are not settled; these are created and deleted all the time."""
    return records.Check("ports", states.Health.OK, _counted(counts))


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) + "." if counts else "None."


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
