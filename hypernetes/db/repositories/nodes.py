# SPDX-License-Identifier: Apache-2.0
"""Nodes: enrollment, heartbeats, and who has fallen silent."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import case
from sqlalchemy import select
from sqlalchemy import update

from hypernetes.db import models
from hypernetes.db import transactions
from hypernetes.db import types
from hypernetes.db.repositories import base
from hypernetes.model import errors
from hypernetes.model import records
from hypernetes.model import states

_LIVING = (states.NodeStatus.ENROLLING, states.NodeStatus.DOWN)


class Nodes(base.Repository[models.Node, records.Node]):
    """Nodes and the credentials their agents chose."""

    kind = "node"
    intent = frozenset({"status", "status_reason", "cluster_id", "order"})
    deleting = states.NodeStatus.DELETING
    row = models.Node
    record = records.Node

    @transactions.retried
    def by_name(self, name: str) -> records.Node:
        """The node of that name.

        :raises errors.NotFound: there is none.
        """
        with self._database.reader() as session:
            row = session.scalar(select(models.Node).where(models.Node.name == name))
            if row is None:
                raise errors.NotFound(kind=self.kind, id=name)
            return self._record(row)

    @transactions.retried
    def heartbeat_many(self, batch: Sequence[records.NodeReport]) -> None:
        """Record what several nodes reported, as seen now, in one statement; nodes since deleted are passed over.

        A node that was ENROLLING or DOWN is UP from then on. What a node reports as its problem is its status_reason.
        """
        if not batch:
            return
        with self._database.writer() as session:
            session.execute(_heartbeats(batch), execution_options={"synchronize_session": False})

    @transactions.retried
    def mark_down(self, silent_for: float) -> int:
        """Call those nodes DOWN that were UP and have not reported for that many seconds; how many there were."""
        statement = (
            update(models.Node)
            .where(
                models.Node.status == states.NodeStatus.UP,
                models.Node.last_seen_at < types.database_now(-silent_for),
            )
            .values(
                status=states.NodeStatus.DOWN,
                status_reason=f"The agent has not reported for more than {silent_for:g} s.",
            )
        )
        with self._database.writer() as session:
            result = session.execute(statement, execution_options={"synchronize_session": False})
            return int(result.rowcount)  # type: ignore[attr-defined]

    @transactions.retried
    def enroll(self, identifier: str, *, secret_hash: str, token_hash: str) -> records.Node:
        """Record the token an agent chose, if its secret is right and in time and no other token is recorded.

        One statement decides, so of two agents with the same secret one wins; the winner may repeat it.

        :raises errors.Unauthenticated: unknown node, wrong, expired or used secret: which is not told.
        """
        statement = (
            update(models.Node)
            .where(
                models.Node.id == identifier,
                models.Node.status != states.NodeStatus.DELETING,
                models.Node.secret_hash == secret_hash,
                models.Node.secret_expires_at > types.database_now(),
                models.Node.token_hash.is_(None) | (models.Node.token_hash == token_hash),
            )
            .values(token_hash=token_hash)
        )
        with self._database.writer() as session:
            result = session.execute(statement, execution_options={"synchronize_session": False})
            if result.rowcount == 0:  # type: ignore[attr-defined]
                raise errors.Unauthenticated(what="enrollment secret")
            return self._record(self._row(session, identifier))

    @transactions.retried
    def count_enrollment_failure(self, identifier: str, *, window: float) -> None:
        """Remember that a wrong secret was presented; unknown nodes are passed over.

        :param window: seconds after which the count starts anew.
        """
        with self._database.writer() as session:
            if session.get(models.Node, identifier, with_for_update=True) is None:
                return
            failure = session.get(models.EnrollmentFailure, identifier, with_for_update=True)
            now = session.scalar(select(types.database_now()))
            if failure is None:
                session.add(
                    models.EnrollmentFailure(node_id=identifier, failures=1, window_ends_at=types.database_now(window))
                )
            elif now is not None and failure.window_ends_at < now:
                failure.failures = 1
                failure.window_ends_at = types.database_now(window)
            else:
                failure.failures += 1

    @transactions.retried
    def enrollment_failures(self, identifier: str) -> int:
        """How many wrong secrets were presented for the node in the current window."""
        query = select(models.EnrollmentFailure.failures).where(
            models.EnrollmentFailure.node_id == identifier,
            models.EnrollmentFailure.window_ends_at >= types.database_now(),
        )
        with self._database.reader() as session:
            return session.scalar(query) or 0

    @transactions.retried
    def mark_deleting(self, identifier: str) -> records.Node:
        """Ask for the node to go away, and make its token worthless at once; asking again changes nothing.

        :raises errors.NotFound: there is none.
        :raises errors.Conflict: it is a control node of a cluster.
        """
        with self._database.writer() as session:
            row = self._row(session, identifier, lock=True)
            if row.status is not states.NodeStatus.DELETING:
                if session.get(models.ControlNode, identifier) is not None:
                    raise errors.Conflict(kind=self.kind, id=identifier, reason="it is a cluster's control node")
                row.status = states.NodeStatus.DELETING
                row.status_reason = None
                row.secret_hash = None
                row.token_hash = None
                row.generation += 1
                session.flush()
                session.refresh(row)
            return self._record(row)


def _heartbeats(batch: Sequence[records.NodeReport]) -> Any:
    """The statement that records a batch of reports."""
    last = {report.node_id: report for report in batch}
    alive = models.Node.status != states.NodeStatus.DELETING
    problems = case({k: r.problem for k, r in last.items()}, value=models.Node.id)
    revived = models.Node.status.in_(_LIVING)
    return (
        update(models.Node)
        .where(models.Node.id.in_(sorted(last)), models.Node.token_hash.is_not(None))
        .ordered_values(
            # MariaDB assigns from left to right, so what reads the old status comes before what writes it.
            (models.Node.status_reason, case((alive, problems), else_=models.Node.status_reason)),
            (models.Node.status, case((revived, states.NodeStatus.UP), else_=models.Node.status)),
            (models.Node.last_seen_at, types.database_now()),
            (models.Node.address, case({k: r.address for k, r in last.items()}, value=models.Node.id)),
            (models.Node.agent_version, case({k: r.agent_version for k, r in last.items()}, value=models.Node.id)),
            (models.Node.boot_id, case({k: r.boot_id for k, r in last.items()}, value=models.Node.id)),
        )
    )
