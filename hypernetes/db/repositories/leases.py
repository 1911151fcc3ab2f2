# SPDX-License-Identifier: Apache-2.0
"""Leases: which conductor works on an object now. Times are the database's, in seconds."""

from oslo_db import exception as db_exception
from sqlalchemy import delete
from sqlalchemy import or_
from sqlalchemy import update

from hypernetes.db import models
from hypernetes.db import transactions
from hypernetes.db import types


class Leases:
    """Compare and swap on one row per object."""

    def __init__(self, database: transactions.Transactions) -> None:
        self._database = database

    @transactions.retried
    def acquire(self, key: str, owner: str, seconds: float) -> bool:
        """Take the lease if it is free, expired or the owner's already; whether it is the owner's now."""
        free = or_(models.Lease.owner == owner, models.Lease.expires_at < types.database_now())
        if self._extend(key, owner, seconds, free):
            return True
        try:
            with self._database.writer() as session:
                session.add(models.Lease(key=key, owner=owner, expires_at=types.database_now(seconds)))
        except db_exception.DBDuplicateEntry:
            return False
        return True

    @transactions.retried
    def renew(self, key: str, owner: str, seconds: float) -> bool:
        """Hold the lease longer; False if it has run out or another has it: then all work on the object must stop."""
        held = (models.Lease.owner == owner) & (models.Lease.expires_at >= types.database_now())
        return self._extend(key, owner, seconds, held)

    @transactions.retried
    def release(self, key: str, owner: str) -> None:
        """Give the lease back; one that is not the owner's is left alone."""
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
