# SPDX-License-Identifier: Apache-2.0
"""One conductor, put together: the only place that knows all of its parts."""

import threading
import time

from oslo_config import cfg
from oslo_log import log

from hypernetes.conductor import apiservers
from hypernetes.conductor import clusters
from hypernetes.conductor import endpoint
from hypernetes.conductor import engine
from hypernetes.conductor import gc
from hypernetes.conductor import keys
from hypernetes.conductor import lease
from hypernetes.conductor import namespaces
from hypernetes.conductor import nodes
from hypernetes.conductor import ports
from hypernetes.conductor import queue
from hypernetes.conductor import work
from hypernetes.db import api as db_api
from hypernetes.openstack import cloud
from hypernetes.rpc import client
from hypernetes.rpc import rabbitmq_admin
from hypernetes.rpc import server

LOG = log.getLogger(__name__)

_STOP_SECONDS = 20.0
"""How long a stop waits for running steps. What takes longer is interrupted and taken up by another conductor."""


class Conductor:
    """Starts, runs until stopped, ends without losing work.

    :raises keys.KeyFileUnusable: the key file cannot be used.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        options = conf.conductor
        self._options = options
        self._stopped = threading.Event()
        self._started_at = time.monotonic()
        ring = keys.KeyRing.load(options.key_file)
        self._queue: queue.WorkQueue[work.Key] = queue.WorkQueue(
            queue.Backoff(options.backoff_base, options.backoff_limit), queue.TokenBucket(options.rate, options.burst)
        )
        database = db_api.Database(conf)
        self._leases = lease.Leases(database.leases, options.lease_seconds)
        self._agents = client.AgentApi(conf)
        self._world = work.World(
            conf=conf,
            db=database,
            cloud=cloud.Cloud(conf),
            clusters=apiservers.ClusterClients(conf, ring),
            broker=rabbitmq_admin.RabbitmqAdmin(conf),
            agents=self._agents,
            leases=self._leases,
            keys=ring,
            wake=self._queue.add,
            failures=self._queue.failures,
        )
        reconcilers: tuple[work.Reconciler, ...] = (
            clusters.ClusterReconciler(self._world),
            nodes.NodeReconciler(self._world),
            namespaces.NamespaceReconciler(self._world),
            ports.PortReconciler(self._world),
            gc.GarbageReconciler(self._world),
        )
        self._engine = engine.Engine(options.workers, self._queue, self._leases, {r.kind: r for r in reconcilers})
        self._heartbeats = nodes.Heartbeats(self._world)
        self._servers = server.conductor_servers(
            conf, endpoint.ApiEndpoint(self._world), endpoint.AgentsEndpoint(self._world, self._heartbeats)
        )
        self._clocks = (
            engine.Clock("resync", options.resync_interval, self._engine.resync, at_once=True),
            engine.Clock("audit", options.audit_interval, self._audit, at_once=True),
            engine.Clock("heartbeats", options.heartbeat_flush_interval, self._heartbeats.flush),
            engine.Clock("silent-nodes", min(10.0, options.node_down_after / 3), self._mark_silent_nodes),
        )

    def start(self) -> None:
        """Start working and listening; returns at once."""
        self._leases.start()
        self._engine.start()
        for clock in self._clocks:
            clock.start()
        for listening in self._servers:
            listening.start()
        LOG.info("The conductor works with %d threads", self._options.workers)

    def stop(self) -> None:
        """Take no new messages and no new work, finish what runs, write the last heartbeats."""
        if self._stopped.is_set():
            return
        for listening in self._servers:
            listening.stop()
        for listening in self._servers:
            listening.wait()
        for clock in self._clocks:
            clock.stop(1.0)
        self._engine.stop(_STOP_SECONDS)
        try:
            self._heartbeats.flush()
        except Exception:
            LOG.warning("The last heartbeats could not be written", exc_info=True)
        self._leases.stop()
        self._agents.close()
        self._stopped.set()
        LOG.info("The conductor has stopped")

    def wait(self) -> None:
        """Return when it has stopped."""
        self._stopped.wait()

    def _audit(self) -> None:
        self._engine.audit(min(60.0, self._options.audit_interval / 2))

    def _mark_silent_nodes(self) -> None:
        # When no conductor ran, no heartbeat was written: give the nodes time to be heard.
        if time.monotonic() - self._started_at < self._options.node_down_after:
            return
        count = self._world.db.nodes.mark_down(self._options.node_down_after)
        if count:
            LOG.warning("%d nodes have fallen silent and are DOWN", count)
