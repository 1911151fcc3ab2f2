# SPDX-License-Identifier: Apache-2.0
"""What all repositories do alike: read, page, and change records by compare and swap.

Two kinds of change are kept apart. *Intent* (what somebody asked for) goes through :meth:`Repository.update`, which
grows the generation. *Observation* (what was seen of it) goes through :meth:`Repository.observe`, which does not, and
writes the named fields only, so that it cannot undo what another writer has recorded meanwhile.
"""

import dataclasses
import enum
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import cast
from typing import ClassVar
from typing import Generic
from typing import TypeVar

from oslo_db import exception as db_exception
from sqlalchemy import ColumnElement
from sqlalchemy import or_
from sqlalchemy import select
from sqlalchemy import update
from sqlalchemy.orm import Session

from hypernetes.db import models
from hypernetes.db import transactions
from hypernetes.model import errors

RowT = TypeVar("RowT", bound=Any)
RecordT = TypeVar("RecordT", bound=Any)

_OWNED_BY_THE_DATABASE = frozenset({"created_at", "updated_at"})
_NEVER_OBSERVED = frozenset({"id", "generation"}) | _OWNED_BY_THE_DATABASE


class Repository(Generic[RowT, RecordT]):
    """Records of one kind in one table."""

    kind: ClassVar[str]
    """What users call it, for error messages."""
    intent: ClassVar[frozenset[str]]
    """The fields that :meth:`update` writes; the others only change by :meth:`observe`."""
    deleting: ClassVar[enum.StrEnum | None] = None
    """The status that no observation may leave."""
    row: type[RowT]
    record: type[RecordT]

    def __init__(self, database: transactions.Transactions) -> None:
        self._database = database

    # ---- reading ----------------------------------------------------------------------------------------

    @transactions.retried
    def get(self, identifier: str) -> RecordT:
        """The record with that id.

        :raises errors.NotFound: there is none.
        """
        with self._database.reader() as session:
            return self._record(self._row(session, identifier))

    @transactions.retried
    def list(self, *, marker: str | None = None, limit: int | None = None, **filters: Any) -> tuple[RecordT, ...]:
        """The records whose fields equal the filters, oldest first.

        A filter that is a tuple, list or set is met by any of its members; None by absence.

        :param marker: id of the last record of the page before.
        :param limit: number of records at most; None for all.
        :raises errors.BadRequest: no record has the marker's id.
        """
        with self._database.reader() as session:
            query = select(self.row).where(*self._conditions(filters)).order_by(self.row.created_at, self.row.id)
            if marker is not None:
                last = session.scalar(select(self.row).where(self.row.id == marker, *self._conditions(filters)))
                if last is None:
                    raise errors.BadRequest(reason=f"the marker {marker} is not the id of a {self.kind} of this list")
                query = query.where(
                    or_(
                        self.row.created_at > last.created_at,
                        (self.row.created_at == last.created_at) & (self.row.id > last.id),
                    )
                )
            if limit is not None:
                query = query.limit(limit)
            return tuple(self._record(row) for row in session.scalars(query))

    # ---- changing ---------------------------------------------------------------------------------------

    @transactions.retried
    def create(self, record: RecordT) -> RecordT:
        """Write a new record; the answer carries the database's timestamps.

        :raises errors.NameTaken: a name that must be unique is taken.
        """
        try:
            with self._database.writer() as session:
                self._before_create(session, record)
                row = self.row(**self._values(record))
                session.add(row)
                session.flush()
                self._after_create(session, record)
                session.refresh(row)
                return self._record(row)
        except db_exception.DBDuplicateEntry as error:
            raise self._duplicate(record) from error

    @transactions.retried
    def update(self, record: RecordT, *, expect: int | None = None) -> RecordT:
        """Write a change of intent: the fields named in :attr:`intent`, and the next generation.

        :param expect: the generation that must still be true; None takes whatever is there.
        :raises errors.NotFound: the record is gone.
        :raises errors.StaleGeneration: somebody else changed the intent first.
        """
        values = {name: value for name, value in self._values(record).items() if name in self.intent}
        with self._database.writer() as session:
            conditions = [self.row.id == record.id]
            if expect is not None:
                conditions.append(self.row.generation == expect)
            self._write(session, record.id, conditions, values | {"generation": self.row.generation + 1})
            return self._record(self._row(session, record.id))

    @transactions.retried
    def observe(self, identifier: str, *, expect: int | None = None, **fields: Any) -> RecordT:
        """Write what was seen of the object: the named fields and no other; the generation stays.

        :param expect: the generation the observation was made for; None takes whatever is there.
        :raises errors.NotFound: the record is gone.
        :raises errors.StaleGeneration: the intent has changed meanwhile, or the object is being deleted and the
            observation would call it something else.
        """
        unknown = fields.keys() - (models.columns(self.row) - _NEVER_OBSERVED)
        if unknown:
            raise ValueError(f"{self.kind}: {', '.join(sorted(unknown))} cannot be observed")
        with self._database.writer() as session:
            conditions = [self.row.id == identifier]
            if expect is not None:
                conditions.append(self.row.generation == expect)
            if self.deleting is not None and fields.get("status", self.deleting) != self.deleting:
                conditions.append(self.row.status != self.deleting)
            self._write(session, identifier, conditions, fields)
            return self._record(self._row(session, identifier))

    @transactions.retried
    def delete(self, identifier: str) -> None:
        """Forget the record for good; a record already gone is fine.

        :raises errors.Conflict: other records still refer to it.
        """
        try:
            with self._database.writer() as session:
                self._before_delete(session, identifier)
                row = session.get(self.row, identifier)
                if row is not None:
                    session.delete(row)
        except db_exception.DBReferenceError as error:
            raise errors.Conflict(kind=self.kind, id=identifier, reason="other objects still refer to it") from error

    # ---- what a subclass may refine ---------------------------------------------------------------------

    def _before_create(self, session: Session, record: RecordT) -> None:
        """Check, under lock, what must hold for the record to exist."""

    def _after_create(self, session: Session, record: RecordT) -> None:
        """Write what goes with the record in other tables."""

    def _before_delete(self, session: Session, identifier: str) -> None:
        """Undo what :meth:`_after_create` wrote, where the database does not do so by itself."""

    def _duplicate(self, record: RecordT) -> errors.HypernetesError:
        """The error that a violated uniqueness means."""
        return errors.NameTaken(kind=self.kind, name=record.name)

    # ---- helpers ----------------------------------------------------------------------------------------

    def _row(self, session: Session, identifier: str, *, lock: bool = False) -> RowT:
        row = session.get(self.row, identifier, with_for_update=lock or None, populate_existing=True)
        if row is None:
            raise errors.NotFound(kind=self.kind, id=identifier)
        return row

    def _write(
        self, session: Session, identifier: str, conditions: Sequence[ColumnElement[bool]], values: dict[str, Any]
    ) -> None:
        statement = update(self.row).where(*conditions).values(values).execution_options(synchronize_session=False)
        result = session.execute(statement)
        if result.rowcount == 0:  # type: ignore[attr-defined]
            self._row(session, identifier)
            raise errors.StaleGeneration(kind=self.kind, id=identifier)

    def _conditions(self, filters: dict[str, Any]) -> Sequence[ColumnElement[bool]]:
        return tuple(_condition(getattr(self.row, name), value) for name, value in filters.items())

    def _record(self, row: RowT) -> RecordT:
        kind: Callable[..., RecordT] = self.record
        return kind(**{field.name: getattr(row, field.name) for field in dataclasses.fields(self.record)})

    def _values(self, record: RecordT) -> dict[str, Any]:
        known = models.columns(self.row) - _OWNED_BY_THE_DATABASE
        return {name: getattr(record, name) for name in known if hasattr(record, name)}


def _condition(column: Any, value: object) -> ColumnElement[bool]:
    if isinstance(value, list | tuple | set | frozenset):
        return cast(ColumnElement[bool], column.in_(value))
    return cast(ColumnElement[bool], column.is_(None) if value is None else column == value)
