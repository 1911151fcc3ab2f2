# SPDX-License-Identifier: Apache-2.0
"""Nodes' heartbeats, collected in memory and written in batches."""

import threading

from oslo_log import log

from hypernetes.conductor import dependencies as context
from hypernetes.model import errors
from hypernetes.model import records

LOG = log.getLogger(__name__)


class Heartbeats:
    """Collects nodes' reports and writes them together, in one statement."""

    def __init__(self, dependencies: context.Dependencies) -> None:
        self._nodes = dependencies.db.nodes
        self._lock = threading.Lock()
        self._reports: dict[str, records.NodeReport] = {}

    def add(self, report: records.NodeReport) -> None:
        """Take a report; of several from a node the last one counts."""
        with self._lock:
            self._reports[report.node_id] = report

    def flush(self) -> None:
        """Write what was collected. If the database is unavailable, it is kept for the next time.

        One report that the database does not take must not keep those of all other nodes from being written.
        """
        with self._lock:
            reports, self._reports = self._reports, {}
        if not reports:
            return
        try:
            self._nodes.heartbeat_many(list(reports.values()))
        except errors.Unavailable:
            with self._lock:
                self._reports = reports | self._reports
            raise
        except Exception:
            LOG.exception("%d heartbeats could not be written together; writing them one by one", len(reports))
            for report in reports.values():
                self._write_one(report)

    def _write_one(self, report: records.NodeReport) -> None:
        try:
            self._nodes.heartbeat_many([report])
        except Exception:
            # The node reports again soon; until then it is silent, as one that does not report properly should be.
            LOG.exception("The heartbeat of node %s could not be written", report.node_id)
