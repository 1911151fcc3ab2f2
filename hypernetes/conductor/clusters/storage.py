# SPDX-License-Identifier: Apache-2.0
"""Says that a cluster's etcd is filling up, before it refuses every write."""

import datetime

from oslo_log import log

from hypernetes.conductor import dependencies as context
from hypernetes.kubernetes import storage
from hypernetes.model import errors
from hypernetes.model import records
from hypernetes.model import states

LOG = log.getLogger(__name__)

ALARM_RATIO = 0.75
"""Part of the quota from which on it is reported."""

_GIB = 1 << 30


def report_storage(dependencies: context.Dependencies, cluster: records.Cluster) -> records.Cluster:
    """Set or clear the cluster's ``status_reason`` by the size of etcd's database, and keep an event of it."""
    client = dependencies.clusters.for_cluster(cluster)
    quota = dependencies.conf.kubernetes.etcd_quota
    size = storage.database_size(client)
    reason = None
    if size is not None and size >= ALARM_RATIO * quota:
        reason = (
            f"etcd's database takes {size / _GIB:.2f} GiB of {quota / _GIB:.2f} GiB, at which it refuses every write. "
            "Delete objects that are not needed, then defragment it or raise its quota."
        )
        LOG.warning("Cluster %s: %s", cluster.id, reason)
        try:
            node = dependencies.db.nodes.get(cluster.control_node_ids[0]).name
            client.apply(storage.size_event(node, reason, datetime.datetime.now(datetime.UTC)))
        except errors.HypernetesError as error:
            LOG.warning("Cluster %s: the event about etcd's size could not be written: %s", cluster.id, error)
    if cluster.status_reason == reason:
        return cluster
    return dependencies.db.clusters.observe(cluster.id, expect=cluster.generation, status_reason=reason)


def check(size: int | None, quota: int) -> tuple[states.Health, str]:
    """Return the health of etcd by the size of its database, and a sentence about it."""
    if size is None:
        return states.Health.UNKNOWN, "The apiserver has not measured the size of the database yet."
    health = states.Health.WARNING if size >= ALARM_RATIO * quota else states.Health.OK
    if size >= quota:
        health = states.Health.ERROR
    return health, f"The database takes {size / _GIB:.2f} GiB of {quota / _GIB:.2f} GiB ({size / quota:.0%})."
