# SPDX-License-Identifier: Apache-2.0
"""Takes back ports that nobody will give back: their pods are gone and their node has not said so.

A node gives ports back at CNI DEL, and after a start by comparing its sandboxes with our list. What is left over is
the port of a node that never comes back, or of one whose agent has lost its memory.
"""

import datetime
from collections.abc import Iterable
from typing import ClassVar

from lightkube.resources import core_v1 as core
from oslo_log import log

from hypernetes.conductor import lease
from hypernetes.conductor import work
from hypernetes.kubernetes import client as kubernetes
from hypernetes.model import errors
from hypernetes.model import records
from hypernetes.model import states

LOG = log.getLogger(__name__)


class GarbageReconciler:
    """Compares a cluster's ports with its pods."""

    kind: ClassVar[str] = "gc"

    def __init__(self, world: work.World) -> None:
        self._world = world

    def reconcile(self, identifier: str, held: lease.Lease) -> work.Outcome:
        """Mark the ports of a cluster's vanished pods DELETING."""
        world = self._world
        try:
            cluster = world.db.clusters.get(identifier)
            if cluster.status is not states.ClusterStatus.ACTIVE:
                return work.Settled()
            # Ports before pods: a pod is there before its port is, so one missing from the later list is gone.
            ports = self._aged_ports(cluster)
            if not ports:
                return work.Settled()
            pods = world.clusters.of(cluster).list(core.Pod, kubernetes.ALL_NAMESPACES)
        except errors.NotFound:
            return work.Settled()
        except errors.HypernetesError as error:
            LOG.warning("The ports of cluster %s could not be compared with its pods: %s", identifier, error)
            return work.Failed()
        living = {pod.metadata.uid for pod in pods if pod.metadata is not None}
        for port in ports:
            held.check()
            if port.pod_uid not in living:
                LOG.info("Pod %s is gone; its port %s is taken back", port.pod_uid, port.id)
                self._take_back(port)
        return work.Settled()

    def unsettled(self) -> Iterable[str]:
        """None: what is missed here costs only time."""
        return ()

    def audited(self) -> Iterable[str]:
        """Every ACTIVE cluster."""
        return [cluster.id for cluster in self._world.db.clusters.list(status=states.ClusterStatus.ACTIVE)]

    def _aged_ports(self, cluster: records.Cluster) -> list[records.Port]:
        world = self._world
        namespaces = tuple(namespace.id for namespace in world.db.namespaces.list(cluster_id=cluster.id))
        if not namespaces:
            return []
        ports = world.db.ports.list(namespace_id=namespaces)
        grace = datetime.timedelta(seconds=world.conf.conductor.port_grace)
        before = datetime.datetime.now(datetime.UTC) - grace
        return [
            port
            for port in ports
            if port.status is not states.PortStatus.DELETING and (port.created_at is None or port.created_at <= before)
        ]

    def _take_back(self, port: records.Port) -> None:
        try:
            self._world.db.ports.observe(port.id, status=states.PortStatus.DELETING)
        except errors.NotFound:
            return
        self._world.wake(work.Key("port", port.id))
