# SPDX-License-Identifier: Apache-2.0
"""Clients of the clusters' apiservers, made from the records and kept until the records change."""

import threading

from oslo_config import cfg

from hypernetes.conductor.clusters import keys
from hypernetes.kubernetes import client
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import kinds
from hypernetes.model import records


class ClusterClients:
    """Keeps one client for each cluster. Safe for threads."""

    def __init__(self, conf: cfg.ConfigOpts, ring: keys.KeyRing) -> None:
        self._timeout = conf.kubernetes.request_timeout
        self._ring = ring
        self._lock = threading.Lock()
        self._known: dict[ids.ClusterId, tuple[tuple[str | None, ...], client.ClusterClient]] = {}

    def for_cluster(self, cluster: records.Cluster) -> client.ClusterClient:
        """Return the client of a cluster.

        :raises errors.Conflict: the cluster has no apiserver or no client certificate yet.
        """
        address, ca = cluster.api_address, cluster.ca_certificate
        certificate, key = cluster.client_certificate, cluster.client_key_encrypted
        if address is None or ca is None or certificate is None or key is None:
            raise errors.Conflict(kind=kinds.Kind.CLUSTER, id=cluster.id, reason="its apiserver is not set up yet")
        fingerprint = (address, ca, certificate, key)
        with self._lock:
            known = self._known.get(cluster.id)
            if known is None or known[0] != fingerprint:
                made = client.ClusterClient(address, ca, certificate, self._ring.decrypt(key), timeout=self._timeout)
                # The old one is not closed: another thread may be in the middle of a request.
                known = self._known[cluster.id] = (fingerprint, made)
            return known[1]

    def forget(self, cluster_id: ids.ClusterId) -> None:
        """Drop the client of a cluster that is gone."""
        with self._lock:
            self._known.pop(cluster_id, None)
