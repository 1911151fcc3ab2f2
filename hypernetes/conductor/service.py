# SPDX-License-Identifier: Apache-2.0
"""One conductor, put together; the only module that knows all of its parts."""

import functools
import threading
import time
from collections.abc import Callable
from collections.abc import Mapping

from oslo_config import cfg
from oslo_log import log

from hypernetes.conductor import dependencies
from hypernetes.conductor.clusters import clients
from hypernetes.conductor.clusters import keys
from hypernetes.conductor.clusters import reconciler as clusters
from hypernetes.conductor.engine import absences
from hypernetes.conductor.engine import lease
from hypernetes.conductor.engine import lines
from hypernetes.conductor.engine import outcome
from hypernetes.conductor.engine import timers
from hypernetes.conductor.engine import work_queue
from hypernetes.conductor.engine import workers
from hypernetes.conductor.namespaces import gone_projects
from hypernetes.conductor.namespaces import reconciler as namespaces
from hypernetes.conductor.nodes import heartbeats
from hypernetes.conductor.nodes import reconciler as nodes
from hypernetes.conductor.ports import garbage
from hypernetes.conductor.ports import pool_reconciler
from hypernetes.conductor.ports import reconciler as ports
from hypernetes.conductor.rpc import for_agents
from hypernetes.conductor.rpc import for_api
from hypernetes.db import api as db_api
from hypernetes.model import kinds
from hypernetes.openstack import cloud
from hypernetes.rpc import client
from hypernetes.rpc import rabbitmq_admin
from hypernetes.rpc import server

LOG = log.getLogger(__name__)

_STOP_SECONDS = 20.0
"""How long a stop waits for running steps. One that takes longer is interrupted and resumed by another conductor."""


class Conductor:
    """Starts, runs until it is stopped, and stops without losing work.

    :raises keys.KeyFileUnusable: when the key file cannot be used.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        options = conf.conductor
        self._options = options
        self._stopped = threading.Event()
        self._started_at = time.monotonic()
        ring = keys.KeyRing.load(options.key_file)
        database = db_api.Database(conf)
        self._queue: work_queue.WorkQueue[outcome.Key] = work_queue.WorkQueue(
            work_queue.Backoff(options.backoff_base, options.backoff_limit),
            functools.partial(work_queue.TokenBucket, options.rate, options.burst),
            line=lines.Owners(_projects(database)),
            at_once=options.workers_per_project or max(1, options.workers // 2),
        )
        self._leases = lease.Leases(database.leases, options.lease_seconds)
        self._agents = client.AgentApi(conf)
        self._dependencies = dependencies.Dependencies(
            conf=conf,
            db=database,
            cloud=cloud.Cloud(conf),
            clusters=clients.ClusterClients(conf, ring),
            broker=rabbitmq_admin.RabbitmqAdmin(conf),
            agents=self._agents,
            leases=self._leases,
            keys=ring,
            gone_projects=absences.Absences(options.gone_project_grace),
            wake=self._queue.add,
            failures=self._queue.failures,
        )
        reconcilers: tuple[outcome.Reconciler, ...] = (
            clusters.ClusterReconciler(self._dependencies),
            nodes.NodeReconciler(self._dependencies),
            namespaces.NamespaceReconciler(self._dependencies),
            ports.PortReconciler(self._dependencies),
            garbage.GarbageReconciler(self._dependencies),
            pool_reconciler.PoolReconciler(self._dependencies),
        )
        self._engine = workers.Engine(options.workers, self._queue, self._leases, {r.kind: r for r in reconcilers})
        self._heartbeats = heartbeats.Heartbeats(self._dependencies)
        self._servers = server.conductor_servers(
            conf,
            for_api.ApiEndpoint(self._dependencies),
            for_agents.AgentsEndpoint(self._dependencies, self._heartbeats),
        )
        self._timers = (
            timers.PeriodicTask("resync", options.resync_interval, self._engine.resync, at_once=True),
            timers.PeriodicTask("audit", options.audit_interval, self._audit, at_once=True),
            timers.PeriodicTask(
                "gone-projects",
                options.project_check_interval,
                functools.partial(gone_projects.release, self._dependencies),
                at_once=True,
            ),
            timers.PeriodicTask("heartbeats", options.heartbeat_flush_interval, self._heartbeats.flush),
            timers.PeriodicTask("silent-nodes", min(10.0, options.node_down_after / 3), self._mark_silent_nodes),
        )

    def start(self) -> None:
        """Start working and listening; returns at once."""
        self._leases.start()
        self._engine.start()
        for timer in self._timers:
            timer.start()
        for listening in self._servers:
            listening.start()
        LOG.info("The conductor has started with %d threads", self._options.workers)

    def stop(self) -> None:
        """Take no new messages and no new work, finish what runs, write the last heartbeats."""
        if self._stopped.is_set():
            return
        for listening in self._servers:
            listening.stop()
        for listening in self._servers:
            listening.wait()
        for timer in self._timers:
            timer.stop(1.0)
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
        # While no conductor ran, no heartbeat was written: the nodes need time to report.
        if time.monotonic() - self._started_at < self._options.node_down_after:
            return
        count = self._dependencies.db.nodes.mark_down(self._options.node_down_after)
        if count:
            LOG.warning("Marked %d nodes DOWN: no heartbeat within %g s", count, self._options.node_down_after)


def _projects(database: db_api.Database) -> Mapping[str, Callable[[str], str]]:
    """Return, by kind, how to find the project of a tenant's object."""

    def of_namespace(identifier: str) -> str:
        return database.namespaces.get(identifier).project_id

    def of_port(identifier: str) -> str:
        return of_namespace(database.ports.get(identifier).namespace_id)

    def of_pool(identifier: str) -> str:
        return of_namespace(database.port_pools.get(identifier).namespace_id)

    return {kinds.Kind.NAMESPACE: of_namespace, kinds.Kind.PORT: of_port, kinds.Kind.PORT_POOL: of_pool}
