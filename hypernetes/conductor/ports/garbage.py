# SPDX-License-Identifier: Apache-2.0
"""Releases ports that no agent will release: their pods are gone, and their node has not said so.

A node releases ports at CNI DEL, and after a start by comparing its sandboxes with the conductor's list. What is left
over is the port of a node that never comes back, or of one whose agent has lost its state.
"""

import datetime
from collections.abc import Iterable
from collections.abc import Sequence
from typing import ClassVar

from oslo_log import log

from hypernetes.conductor import dependencies as context
from hypernetes.conductor.engine import outcome
from hypernetes.conductor.engine import steps
from hypernetes.kubernetes import client as kubernetes
from hypernetes.kubernetes import resources
from hypernetes.model import errors
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states

LOG = log.getLogger(__name__)

Step = steps.Step[records.Cluster]


def release_orphans(dependencies: context.Dependencies, cluster: records.Cluster) -> records.Cluster:
    """Mark the ports of a cluster's vanished pods DELETING."""
    # Ports before pods: a pod exists before its port does, so one missing from the later list is gone.
    ports = _aged_ports(dependencies, cluster)
    if not ports:
        return cluster
    pods = dependencies.clusters.for_cluster(cluster).list(resources.Pod, kubernetes.ALL_NAMESPACES)
    living = {pod.metadata.uid for pod in pods if pod.metadata is not None}
    for port in ports:
        if port.pod_uid not in living:
            LOG.info("Pod %s is gone; releasing its port %s", port.pod_uid, port.id)
            _release(dependencies, port)
    return cluster


class GarbageReconciler(steps.StepReconciler[records.Cluster]):
    """Compares a cluster's ports with its pods."""

    kind: ClassVar[str] = "port-garbage"

    def load(self, identifier: str) -> records.Cluster:
        return self._dependencies.db.clusters.get(identifier)

    def steps(self, record: records.Cluster) -> Sequence[Step]:
        return (release_orphans,) if record.status is states.ClusterStatus.ACTIVE else ()

    def audited(self) -> Iterable[str]:
        """Return every ACTIVE cluster; what is missed between two audits costs only time."""
        return [cluster.id for cluster in self._dependencies.db.clusters.list(status=states.ClusterStatus.ACTIVE)]


def _aged_ports(dependencies: context.Dependencies, cluster: records.Cluster) -> list[records.Port]:
    namespaces = tuple(namespace.id for namespace in dependencies.db.namespaces.list(cluster_id=cluster.id))
    if not namespaces:
        return []
    ports = dependencies.db.ports.list(namespace_id=namespaces)
    grace = datetime.timedelta(seconds=dependencies.conf.conductor.port_grace)
    before = datetime.datetime.now(datetime.UTC) - grace
    return [
        port
        for port in ports
        if port.status is not states.PortStatus.DELETING and (port.created_at is None or port.created_at <= before)
    ]


def _release(dependencies: context.Dependencies, port: records.Port) -> None:
    try:
        dependencies.db.ports.mark_deleting(port.id)
    except errors.NotFound:
        return
    dependencies.wake(outcome.Key(kinds.Kind.PORT, port.id))
