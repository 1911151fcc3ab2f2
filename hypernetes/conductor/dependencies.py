# SPDX-License-Identifier: Apache-2.0
"""Everything a reconciler may use, as one value, so that a test can put fakes in its place."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from oslo_config import cfg

from hypernetes.conductor.engine import absences
from hypernetes.conductor.engine import lease
from hypernetes.conductor.engine import outcome
from hypernetes.db import api as db_api
from hypernetes.kubernetes import client as kubernetes
from hypernetes.model import ids
from hypernetes.model import records
from hypernetes.openstack import cloud
from hypernetes.rpc import client
from hypernetes.rpc import rabbitmq_admin


class ClusterClients(Protocol):
    """Clients of the clusters' apiservers."""

    def for_cluster(self, cluster: records.Cluster) -> kubernetes.ClusterClient:
        """Return the client of a cluster.

        :raises errors.Conflict: the cluster has no apiserver or no client certificate yet.
        """
        ...

    def forget(self, cluster_id: ids.ClusterId) -> None:
        """Drop the client of a cluster that is gone."""
        ...


class KeyRing(Protocol):
    """Encrypts what the database keeps of clusters' keys."""

    def encrypt(self, pem: str) -> str:
        """Return what may be stored."""
        ...

    def decrypt(self, stored: str) -> str:
        """Return what was encrypted."""
        ...


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What reconcilers and RPC handlers work with."""

    conf: cfg.ConfigOpts
    db: db_api.Database
    cloud: cloud.Cloud
    clusters: ClusterClients
    broker: rabbitmq_admin.RabbitmqAdmin
    agents: client.AgentApi
    leases: lease.Leases
    keys: KeyRing
    gone_projects: absences.Absences
    """Projects that Keystone does not find."""
    wake: Callable[[outcome.Key], None]
    """Have another object reconciled soon."""
    failures: Callable[[outcome.Key], int]
    """Return how often an object's work has failed since it last succeeded."""
