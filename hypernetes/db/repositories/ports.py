# SPDX-License-Identifier: Apache-2.0
"""Pods' ports: one per pod sandbox."""

from sqlalchemy import select

from hypernetes.db import models
from hypernetes.db import transactions
from hypernetes.db.repositories import base
from hypernetes.model import errors
from hypernetes.model import records
from hypernetes.model import states


class Ports(base.Repository[models.Port, records.Port]):
    """Ports; the id of the sandbox exists once, so the same sandbox never gets two."""

    kind = "port"
    intent = frozenset({"status"})
    deleting = states.PortStatus.DELETING
    row = models.Port
    record = records.Port

    @transactions.retried
    def by_sandbox(self, sandbox_id: str) -> records.Port | None:
        """The sandbox's port, or None."""
        with self._database.reader() as session:
            row = session.scalar(select(models.Port).where(models.Port.sandbox_id == sandbox_id))
            return None if row is None else self._record(row)

    def by_node(self, node_id: str) -> tuple[records.Port, ...]:
        """The ports of a node's sandboxes."""
        return self.list(node_id=node_id)

    def by_namespace(self, namespace_id: str) -> tuple[records.Port, ...]:
        """The ports of a namespace's pods."""
        return self.list(namespace_id=namespace_id)

    def _duplicate(self, record: records.Port) -> errors.HypernetesError:
        reason = "another request made it first"
        return errors.Conflict(kind=self.kind, id=record.sandbox_id, reason=reason)
