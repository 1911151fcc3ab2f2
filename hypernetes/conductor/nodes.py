# SPDX-License-Identifier: Apache-2.0
"""Nodes: their credentials on the message bus, and whether they are alive."""

import threading
from collections.abc import Iterable
from typing import ClassVar

from oslo_db import exception
from oslo_log import log

from hypernetes.conductor import lease
from hypernetes.conductor import work
from hypernetes.model import errors
from hypernetes.model import records
from hypernetes.model import states

LOG = log.getLogger(__name__)


class NodeReconciler:
    """Keeps the topology of enrolled nodes and revokes deleted ones."""

    kind: ClassVar[str] = "node"

    def __init__(self, world: work.World) -> None:
        self._world = world

    def reconcile(self, identifier: str, held: lease.Lease) -> work.Outcome:
        """Revoke a node that is DELETING; make sure of the permissions and the binding of one that is enrolled."""
        world = self._world
        try:
            node = world.db.nodes.get(identifier)
            if node.status is states.NodeStatus.DELETING:
                world.broker.remove_node(node.name)
                held.check()
                world.db.nodes.delete(node.id)
            elif node.token_hash is not None and world.broker.has_node(node.name):
                world.broker.ensure_topology(node.name)
        except errors.NotFound:
            return work.Settled()
        except errors.HypernetesError as error:
            LOG.warning("Node %s: %s", identifier, error)
            return work.Failed()
        return work.Settled()

    def unsettled(self) -> Iterable[str]:
        """Nodes to be revoked."""
        return [node.id for node in self._world.db.nodes.list(status=states.NodeStatus.DELETING)]

    def audited(self) -> Iterable[str]:
        """Enrolled nodes: a message bus that was set up anew has lost their bindings."""
        return [node.id for node in self._world.db.nodes.list() if node.token_hash is not None]


class Heartbeats:
    """Collects nodes' reports and writes them together, one statement for all."""

    def __init__(self, world: work.World) -> None:
        self._nodes = world.db.nodes
        self._lock = threading.Lock()
        self._reports: dict[str, records.NodeReport] = {}

    def add(self, report: records.NodeReport) -> None:
        """Take a report; of several from a node the last one counts."""
        with self._lock:
            self._reports[report.node_id] = report

    def flush(self) -> None:
        """Write what was collected. If the database is away, it is kept for the next time.

        One report that the database does not take must not keep those of all other nodes from being written.
        """
        with self._lock:
            reports, self._reports = self._reports, {}
        if not reports:
            return
        try:
            self._nodes.heartbeat_many(list(reports.values()))
        except exception.DBConnectionError:
            with self._lock:
                self._reports = reports | self._reports
            raise
        except Exception:
            LOG.exception("%d heartbeats could not be written together; they are tried one by one", len(reports))
            for report in reports.values():
                self._write_one(report)

    def _write_one(self, report: records.NodeReport) -> None:
        try:
            self._nodes.heartbeat_many([report])
        except Exception:
            # The node reports again soon; until then it is silent, as one that does not report properly should be.
            LOG.exception("The heartbeat of node %s could not be written", report.node_id)
