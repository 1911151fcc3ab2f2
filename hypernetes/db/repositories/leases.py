# SPDX-License-Identifier: Apache-2.0
"""Leases: which conductor may work on an object. Times are in seconds, by the database's clock."""

from oslo_db import exception as db_exception
from sqlalchemy import delete
from sqlalchemy import or_
from sqlalchemy import update

from hypernetes.db import models
from hypernetes.db import transactions
from hypernetes.db import types


class Leases:
    """Rows that are acquired by compare and swap, one per object."""

    def __init__(self, database: transactions.Transactions) -> None:
        self._database = database

    @transactions.transaction
    def acquire(self, key: str, owner: str, seconds: float) -> bool:
        """Acquire the lease if it is free, expired or the owner's already.

        :returns: whether the owner has it.
        """
        free = or_(models.Lease.owner == owner, models.Lease.expires_at < types.database_now())
        if self._extend(key, owner, seconds, free):
            return True
        try:
            with self._database.writer() as session:
                session.add(models.Lease(key=key, owner=owner, expires_at=types.database_now(seconds)))
        except db_exception.DBDuplicateEntry:
            return False
        return True

    @transactions.transaction
    def renew(self, key: str, owner: str, seconds: float) -> bool:
        """Extend the lease.

        :returns: False if it has expired or has another owner; then all work on the object must stop.
        """
        held = (models.Lease.owner == owner) & (models.Lease.expires_at >= types.database_now())
        return self._extend(key, owner, seconds, held)

    @transactions.transaction
    def release(self, key: str, owner: str) -> None:
        """Release the lease; one that has another owner stays as it is."""
        with self._database.writer() as session:
            session.execute(delete(models.Lease).where(models.Lease.key == key, models.Lease.owner == owner))

    def _extend(self, key: str, owner: str, seconds: float, condition: object) -> bool:
        statement = (
            update(models.Lease)
            .where(models.Lease.key == key, condition)  # type: ignore[arg-type]
            .values(owner=owner, expires_at=types.database_now(seconds))
        )
        with self._database.writer() as session:
            result = session.execute(statement, execution_options={"synchronize_session": False})
            return bool(result.rowcount)  # type: ignore[attr-defined]
