# SPDX-License-Identifier: Apache-2.0
"""Nodes: enrollment, heartbeats, which nodes do not report any more, and which ones accept new pods."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from sqlalchemy import case
from sqlalchemy import select
from sqlalchemy import update
from sqlalchemy.orm import Session

from hypernetes.db import models
from hypernetes.db import transactions
from hypernetes.db import types
from hypernetes.db.repositories import base
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states

_REVIVABLE = (states.NodeStatus.ENROLLING, states.NodeStatus.DOWN)
"""States of a node that a heartbeat makes UP."""


UNFINISHED = "it has not been reset yet since it left its last cluster"
"""Why a node cannot be claimed that was removed by force, and has not reported since."""

ARRIVING = (
    states.Membership.PREPARING,
    states.Membership.JOINING,
    states.Membership.STARTING,
    states.Membership.MEMBER,
)
LEAVING = tuple(one for one in states.Membership if one not in ARRIVING)
"""Memberships of nodes that are, or are to be, in their cluster; and of those that are to be removed from it."""


RELEASED = {
    "cluster_id": None,
    "cordoned": False,
    "membership": None,
    "membership_reason": None,
    "signing_request": None,
}
"""Fields of a node that belongs to no cluster."""


class Nodes(base.NamedRepository[models.Node, records.Node]):
    """Nodes and the credentials their agents chose."""

    kind = kinds.Kind.NODE
    deleting = states.NodeStatus.DELETING
    row = models.Node
    record = records.Node

    @transactions.transaction
    def heartbeat_many(self, batch: Sequence[records.NodeReport]) -> None:
        """Record what several nodes reported, as seen now, in one statement; deleted nodes are skipped.

        A node that was ENROLLING or DOWN is UP from then on. What a node reports as its problem is its status_reason.
        """
        if not batch:
            return
        with self._database.writer() as session:
            session.execute(_heartbeats(batch), execution_options={"synchronize_session": False})

    @transactions.transaction
    def mark_down(self, silent_for: float) -> int:
        """Mark the nodes DOWN that are UP and have not reported for that many seconds, and return their number."""
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

    @transactions.transaction
    def enroll(self, identifier: str, *, secret_hash: str, token_hash: str) -> records.Node:
        """Record the token an agent chose, if its secret is right, has not expired and has not served another token.

        One statement decides: of two agents with the same secret one wins, and the winner may repeat the request.

        :raises errors.Unauthenticated: when the node is unknown, or the secret wrong, expired or used (deliberately
            indistinguishable).
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

    def set_disabled(self, identifier: str, reason: str | None) -> records.Node:
        """Request that the node get no new pods.

        :raises errors.NotFound: when there is no such node.
        :raises errors.Conflict: when it is being deleted.
        """
        return self._set_disabled(identifier, disabled=True, reason=reason)

    def set_enabled(self, identifier: str) -> records.Node:
        """Request that the node accept pods again; raises as :meth:`set_disabled` does."""
        return self._set_disabled(identifier, disabled=False, reason=None)

    def _set_disabled(self, identifier: str, *, disabled: bool, reason: str | None) -> records.Node:
        def decide(_session: Session, node: records.Node) -> records.Node:
            if node.status is states.NodeStatus.DELETING:
                raise errors.Conflict(kind=self.kind, id=identifier, reason="it is being deleted")
            return dataclasses.replace(node, disabled=disabled, disabled_reason=reason)

        return self.change(identifier, decide)

    def join(self, identifier: str, cluster_id: ids.ClusterId) -> records.Node:
        """Request that the node become a worker of the cluster. Repeating the request changes nothing.

        :raises errors.NotFound: when there is no such node, or no such cluster.
        :raises errors.Conflict: when the node or the cluster cannot do so.
        """

        def decide(session: Session, node: records.Node) -> records.Node:
            if node.cluster_id == cluster_id and node.membership in ARRIVING:
                return node
            cluster = session.get(models.Cluster, cluster_id, with_for_update=True)
            if cluster is None:
                raise errors.NotFound(kind=kinds.Kind.CLUSTER, id=cluster_id)
            if cluster.status is not states.ClusterStatus.ACTIVE:
                inactive = f"it is {cluster.status}, not ACTIVE"
                raise errors.Conflict(kind=kinds.Kind.CLUSTER, id=cluster_id, reason=inactive)
            reason = _why_not_free(node)
            if reason is not None:
                raise errors.Conflict(kind=self.kind, id=identifier, reason=reason)
            return dataclasses.replace(node, cluster_id=cluster_id, membership=states.Membership.PREPARING)

        return self.change(identifier, decide)

    def leave(self, identifier: str, cluster_id: str, *, force: bool) -> records.Node:
        """Request that the worker leave the cluster. Repeating the request changes nothing.

        :param force: do not wait for its pods, nor for its agent, which resets the node if it ever reports again.
        :raises errors.NotFound: when there is no such node in the cluster.
        :raises errors.Conflict: when it is a control node.
        """

        def decide(session: Session, node: records.Node) -> records.Node:
            if node.cluster_id != cluster_id:
                raise errors.NotFound(kind=self.kind, id=identifier)
            if session.get(models.ControlNode, identifier) is not None:
                raise errors.Conflict(kind=self.kind, id=identifier, reason="it is the cluster's control node")
            wanted = states.Membership.LOST if force else states.Membership.DRAINING
            if node.membership is states.Membership.LEAVING or (node.membership in LEAVING and not force):
                return node
            return dataclasses.replace(node, membership=wanted, membership_reason=None)

        return self.change(identifier, decide)

    def release(self, identifier: str, **seen: Any) -> records.Node:
        """Record that nothing connects the node to its cluster any more.

        :param seen: further fields to write.
        """
        return self.observe(identifier, **RELEASED, **seen)

    @transactions.transaction
    def clear_order(self, identifier: str, order: str) -> None:
        """Remove an order from the node's record, unless another one has replaced it."""
        done = update(models.Node).where(models.Node.id == identifier, models.Node.order == order).values(order=None)
        with self._database.writer() as session:
            session.execute(done, execution_options={"synchronize_session": False})

    @transactions.transaction
    def list_cordon_pending(self) -> tuple[records.Node, ...]:
        """Return the nodes of clusters whose cordon is not as the operator wants it."""
        query = select(models.Node).where(
            models.Node.cluster_id.is_not(None),
            models.Node.status != states.NodeStatus.DELETING,
            models.Node.disabled != models.Node.cordoned,
        )
        with self._database.reader() as session:
            return tuple(self._record(row) for row in session.scalars(query))

    @transactions.transaction
    def record_enrollment_failure(self, identifier: str, *, window: float) -> None:
        """Count a wrong secret that was presented for a node; unknown nodes are skipped.

        :param window: seconds after which the count starts again.
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

    @transactions.transaction
    def count_enrollment_failures(self, identifier: str) -> int:
        """Return how many wrong secrets were presented for the node in the current window."""
        query = select(models.EnrollmentFailure.failures).where(
            models.EnrollmentFailure.node_id == identifier,
            models.EnrollmentFailure.window_ends_at >= types.database_now(),
        )
        with self._database.reader() as session:
            return session.scalar(query) or 0

    def _deleted(self, session: Session, record: records.Node) -> records.Node:
        if session.get(models.ControlNode, record.id) is not None:
            raise errors.Conflict(kind=self.kind, id=record.id, reason="it is a cluster's control node")
        if record.membership is not None:
            reason = "it is a worker of a cluster; remove it there first"
            raise errors.Conflict(kind=self.kind, id=record.id, reason=reason)
        # Its agent is locked out from this moment on.
        return dataclasses.replace(super()._deleted(session, record), secret_hash=None, token_hash=None)


def _why_not_free(node: records.Node) -> str | None:
    """Return why a node cannot become a worker, or None."""
    if node.cluster_id is not None:
        return "it already belongs to a cluster"
    if node.status is states.NodeStatus.DELETING:
        return "it is being deleted"
    return UNFINISHED if node.order is not None else None


def _heartbeats(batch: Sequence[records.NodeReport]) -> Any:
    """Return the statement that records a batch of reports."""
    last = {report.node_id: report for report in batch}
    alive = models.Node.status != states.NodeStatus.DELETING
    problems = case({k: r.problem for k, r in last.items()}, value=models.Node.id)
    revived = models.Node.status.in_(_REVIVABLE)
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
