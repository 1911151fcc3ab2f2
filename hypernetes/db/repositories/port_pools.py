# SPDX-License-Identifier: Apache-2.0
"""Pools of ready ports, one for each namespace and node on which its pods start, and the ports in them."""

from collections.abc import Callable

from oslo_db import exception as db_exception
from sqlalchemy import delete
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

_CANDIDATES = 8
"""Ready ports that a claim tries, oldest first: others may be claiming them at the same moment."""


class PortPools(base.Repository[models.PortPool, records.PortPool]):
    """Pools: how many ready ports there shall be, and when one was last needed."""

    kind = kinds.Kind.PORT_POOL
    row = models.PortPool
    record = records.PortPool

    def find(self, namespace_id: ids.NamespaceId, node_id: ids.NodeId) -> records.PortPool | None:
        """Return the pool of a namespace on a node, or None."""
        return self._find(namespace_id=namespace_id, node_id=node_id)

    @transactions.transaction
    def note_use(
        self, namespace_id: ids.NamespaceId, node_id: ids.NodeId, resize: Callable[[int], int]
    ) -> records.PortPool:
        """Note that a pod has needed a port just now; create the pool if there is none.

        :param resize: returns the new size for the present one, 0 for a pool that is created.
        """
        try:
            with self._database.writer() as session:
                pool = self._locked(session, namespace_id, node_id)
                if pool is None:
                    pool = models.PortPool(
                        id=ids.new_uuid(), namespace_id=namespace_id, node_id=node_id, size=resize(0)
                    )
                    session.add(pool)
                else:
                    pool.size = resize(pool.size)
                    pool.used_at = types.database_now()
                session.flush()
                session.refresh(pool)
                return self._record(pool)
        except db_exception.DBDuplicateEntry:
            # Another pod's request created it at the same moment: the next one notes its use.
            return self._require(namespace_id, namespace_id=namespace_id, node_id=node_id)

    @transactions.transaction
    def idle(self, pool_id: ids.PortPoolId, seconds: float) -> bool:
        """Return whether no pod has needed a port of the pool for so many seconds."""
        with self._database.reader() as session:
            unused = models.PortPool.used_at < types.database_now(-seconds)
            return session.scalar(select(models.PortPool.id).where(models.PortPool.id == pool_id, unused)) is not None

    def _locked(self, session: Session, namespace_id: str, node_id: str) -> models.PortPool | None:
        found = (models.PortPool.namespace_id == namespace_id) & (models.PortPool.node_id == node_id)
        return session.scalar(select(models.PortPool).where(found).with_for_update())


class ReadyPorts(base.Repository[models.ReadyPort, records.ReadyPort]):
    """Ports in pools. A port leaves by :meth:`claim` or :meth:`withdraw`, and never by both."""

    kind = kinds.Kind.READY_PORT
    row = models.ReadyPort
    record = records.ReadyPort

    @transactions.transaction
    def claim(
        self, pool_id: ids.PortPoolId, sandbox: Callable[[records.ReadyPort], records.Port]
    ) -> tuple[records.Port, records.ReadyPort] | None:
        """Turn the oldest ready port of a pool into the port of a sandbox, in one transaction.

        :param sandbox: returns the port's record; its ID is the ready port's.
        :returns: both records; None if no port is ready.
        :raises errors.Conflict: when the sandbox has a port already.
        """
        ready = (models.ReadyPort.pool_id == pool_id) & (models.ReadyPort.status == states.PortStatus.READY)
        port: records.Port | None = None
        try:
            with self._database.writer() as session:
                oldest = select(models.ReadyPort).where(ready).order_by(models.ReadyPort.created_at).limit(_CANDIDATES)
                for candidate in [self._record(row) for row in session.scalars(oldest)]:
                    taken = delete(models.ReadyPort).where(models.ReadyPort.id == candidate.id, ready)
                    result = session.execute(taken, execution_options={"synchronize_session": False})
                    if result.rowcount == 1:  # type: ignore[attr-defined]
                        port = sandbox(candidate)
                        session.add(models.Port(**_values(port)))
                        session.flush()
                        return port, candidate
        except db_exception.DBDuplicateEntry as error:
            identifier = port.sandbox_id if port else pool_id
            reason = "another request allocated it first"
            raise errors.Conflict(kind=kinds.Kind.PORT, id=identifier, reason=reason) from error
        return None

    @transactions.transaction
    def withdraw(self, identifier: ids.PortRecordId) -> bool:
        """Take a port out of what can be claimed, so that it can be deleted.

        :returns: False if a sandbox has claimed it.
        """
        statement = (
            update(models.ReadyPort).where(models.ReadyPort.id == identifier).values(status=states.PortStatus.DELETING)
        )
        with self._database.writer() as session:
            result = session.execute(statement, execution_options={"synchronize_session": False})
            return bool(result.rowcount)  # type: ignore[attr-defined]


def _values(port: records.Port) -> dict[str, object]:
    return {name: getattr(port, name) for name in models.columns(models.Port) - {"created_at", "updated_at"}}
