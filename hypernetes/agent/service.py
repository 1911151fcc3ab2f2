# SPDX-License-Identifier: Apache-2.0
"""Assembles the agent and runs its threads."""

import functools
import threading
from collections.abc import Callable
from typing import Any

from oslo_config import cfg
from oslo_log import log

from hypernetes.agent import bootstrap
from hypernetes.agent import enrollment
from hypernetes.agent import heartbeat
from hypernetes.agent import orders
from hypernetes.agent.bootstrap import catalog
from hypernetes.agent.bootstrap import prepare
from hypernetes.agent.host import node as nodes
from hypernetes.agent.host import runtime
from hypernetes.agent.local import server
from hypernetes.agent.ports import driver as drivers
from hypernetes.agent.ports import ovs
from hypernetes.agent.ports import sandbox_ports
from hypernetes.agent.ports import sandboxes
from hypernetes.agent.services import credential
from hypernetes.agent.services import tables
from hypernetes.rpc import client
from hypernetes.rpc import messages
from hypernetes.rpc import server as rpc_server

LOG = log.getLogger(__name__)

PLUG_DRIVERS: dict[str, Callable[[cfg.ConfigOpts], drivers.PlugDriver]] = {"ovs": ovs.OvsDriver}
STOP_SECONDS = 8.0


class _Endpoint:
    """The casts that conductors may send to this agent."""

    def __init__(self, submit: Callable[[messages.PhaseOrder], None]) -> None:
        self._submit = submit

    def run_phase(self, message: messages.PhaseOrder) -> None:
        """Accept an order; the next heartbeat would bring it as well."""
        self._submit(message)


def run(conf: cfg.ConfigOpts, stop: threading.Event) -> None:
    """Enroll, then serve until ``stop`` is set."""
    node = nodes.from_conf(conf)
    _make_directories(node)
    runtime.write(conf, node.layout)
    _refresh(node)
    try:
        enrolled = enrollment.enroll(conf, node.layout.state, stop)
    except enrollment.Stopped:
        return
    lock_path = str(node.layout.state / "locks")
    conductor = client.ConductorApiForAgents(conf, enrolled, lock_path=lock_path)
    limit: float = conf.agent.retry_max_interval
    phases = orders.Orders(node, catalog.PHASES, conductor, node.layout.state, limit)
    store = sandboxes.SandboxStore(node.layout.sandboxes, node.layout.sandbox_records, node.layout.machines)
    services = tables.ServiceTables(
        node.layout.service_tables, conf.node.name, store.all, functools.partial(credential.connect, node.layout)
    )
    ports = sandbox_ports.SandboxPorts(
        store,
        PLUG_DRIVERS[conf.node.plug_driver](conf),
        conductor,
        limit,
        conf.agent.allocate_deadline,
        plugged=services.add,
    )
    local = server.LocalServer(
        node.layout.agent_socket,
        server.Handler(ports).handle,
        workers=conf.agent.socket_workers,
        project_of=ports.project_of,
    )
    local.bind()
    threads = [
        _thread("cni", stop, lambda: local.serve_until(stop)),
        _thread("heartbeat", stop, lambda: heartbeat.beat_until(stop, node, conductor, phases.submit)),
        _thread("orders", stop, lambda: phases.run_until(stop)),
        _thread("services", stop, lambda: services.sweep_until(stop)),
        _thread("release", stop, lambda: ports.release_until(stop)),
        _thread("collect", stop, lambda: ports.collect_until(stop, conf.agent.collect_interval)),
    ]
    casts = rpc_server.agent_server(conf, enrolled, _Endpoint(phases.submit), lock_path=lock_path)
    casts.start()
    LOG.info("The agent of node %s is running", enrolled.node_name)
    stop.wait()
    _stop(casts, threads)


def _make_directories(node: nodes.Node) -> None:
    for directory, mode in (
        (node.layout.state, 0o755),
        (node.layout.run, 0o755),
        (node.layout.machines, 0o755),
        (node.layout.state / "locks", 0o700),
        (node.layout.logs, 0o755),
    ):
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(mode)


def _refresh(node: nodes.Node) -> None:
    """Refresh a prepared node; an agent that cannot still serves what runs, and its conductor sees its heartbeats."""
    try:
        prepare.refresh(node)
    except bootstrap.NodePhaseFailed:
        LOG.exception("The node's programs do not run with the present configuration; restart the agent to try again")


def _thread(name: str, stop: threading.Event, work: Callable[[], None]) -> threading.Thread:
    def guarded() -> None:
        try:
            work()
        except Exception:
            # A thread that died unnoticed would leave a node that looks healthy: exit and be restarted.
            LOG.exception("Thread %s failed; shutting down", name)
            stop.set()

    # Daemon threads: one that hangs in a system call must not keep a stopped agent alive.
    thread = threading.Thread(target=guarded, name=name, daemon=True)
    thread.start()
    return thread


def _stop(casts: Any, threads: list[threading.Thread]) -> None:
    casts.stop()
    for thread in threads:
        thread.join(STOP_SECONDS)
