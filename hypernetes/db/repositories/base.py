# SPDX-License-Identifier: Apache-2.0
"""What all repositories do alike: read, page and change records.

Two kinds of change are kept apart:

* *Intent* is what a client asked for. :meth:`Repository.change` locks the record, decides on what it says now, and
  increments the generation.
* *Observation* is what was seen of the object. :meth:`Repository.observe` writes the named fields only, so that it
  cannot undo what another writer has recorded meanwhile, and keeps the generation. With ``expect`` it is refused when
  the intent it was made for has changed.

``status`` belongs to both: intent begins something (``DELETING``, ``CREATING`` again), observation reports progress.
"""

import dataclasses
import enum
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import cast
from typing import ClassVar
from typing import Generic
from typing import TypeVar

from oslo_db import exception as db_exception
from sqlalchemy import ColumnElement
from sqlalchemy import func
from sqlalchemy import or_
from sqlalchemy import select
from sqlalchemy import update
from sqlalchemy.orm import Session

from hypernetes.db import models
from hypernetes.db import transactions
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import kinds

RowT = TypeVar("RowT", bound=Any)
RecordT = TypeVar("RecordT", bound=Any)

_OWNED_BY_THE_DATABASE = frozenset({"created_at", "updated_at"})
_FIXED = frozenset({"id", "generation"}) | _OWNED_BY_THE_DATABASE
"""Fields that neither a change nor an observation writes."""


class Repository(Generic[RowT, RecordT]):
    """Records of one kind in one table."""

    kind: ClassVar[kinds.Kind]
    row: type[RowT]
    record: type[RecordT]

    def __init__(self, database: transactions.Transactions) -> None:
        self._database = database

    # ---- reading ----------------------------------------------------------------------------------------

    @transactions.transaction
    def get(self, identifier: str) -> RecordT:
        """Return the record with that ID.

        :raises errors.NotFound: when there is none.
        """
        with self._database.reader() as session:
            return self._record(self._row(session, identifier))

    @transactions.transaction
    def list(self, *, marker: str | None = None, limit: int | None = None, **filters: Any) -> tuple[RecordT, ...]:
        """Return the records whose fields equal the filters, oldest first.

        A filter that is a tuple, list or set matches any of its members; None matches absence.

        :param marker: ID of the last record of the previous page.
        :param limit: largest number of records; None for all.
        :raises errors.BadRequest: when no record of the list has the marker's ID.
        """
        with self._database.reader() as session:
            query = select(self.row).where(*self._conditions(filters)).order_by(self.row.created_at, self.row.id)
            if marker is not None:
                last = session.scalar(select(self.row).where(self.row.id == marker, *self._conditions(filters)))
                if last is None:
                    raise errors.BadRequest(reason=f"the marker {marker} is not the ID of a {self.kind} of this list")
                query = query.where(
                    or_(
                        self.row.created_at > last.created_at,
                        (self.row.created_at == last.created_at) & (self.row.id > last.id),
                    )
                )
            if limit is not None:
                query = query.limit(limit)
            return tuple(self._record(row) for row in session.scalars(query))

    @transactions.transaction
    def count_by(self, field: str, **filters: Any) -> dict[Any, int]:
        """Return the number of records that match, by the value of one of their fields; filters as in :meth:`list`."""
        column = getattr(self.row, field)
        with self._database.reader() as session:
            query = select(column, func.count()).where(*self._conditions(filters)).group_by(column)
            return {row[0]: row[1] for row in session.execute(query)}

    # ---- changing ---------------------------------------------------------------------------------------

    @transactions.transaction
    def create(self, record: RecordT, **limits: int) -> RecordT:
        """Write a new record, and return it with the database's timestamps.

        :param limits: what :meth:`_before_create` of the subclass knows.
        :raises errors.NameTaken: when a name that must be unique is taken.
        """
        try:
            with self._database.writer() as session:
                self._before_create(session, record, **limits)
                row = self.row(**self._values(record))
                session.add(row)
                session.flush()
                self._after_create(session, record)
                session.refresh(row)
                return self._record(row)
        except db_exception.DBDuplicateEntry as error:
            raise self._duplicate(record) from error

    @transactions.transaction
    def observe(self, identifier: str, **fields: Any) -> RecordT:
        """Write what was seen of the object: the named fields and no others.

        :raises errors.NotFound: when the record is gone.
        """
        with self._database.writer() as session:
            return self._write(session, identifier, fields)

    @transactions.transaction
    def delete(self, identifier: str) -> None:
        """Delete the record; one that is gone already is no error.

        :raises errors.Conflict: when other records still refer to it.
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

    def _before_create(self, session: Session, record: RecordT, **limits: int) -> None:
        """Check, under lock, what must hold for the record to exist."""

    def _after_create(self, session: Session, record: RecordT) -> None:
        """Write what goes with the record in other tables."""

    def _before_delete(self, session: Session, identifier: str) -> None:
        """Undo what :meth:`_after_create` wrote, where the database does not do so by itself."""

    def _duplicate(self, record: RecordT) -> errors.HypernetesError:
        """Return the error that a violated uniqueness means."""
        return errors.NameTaken(kind=self.kind, name=record.name)

    # ---- helpers ----------------------------------------------------------------------------------------

    @transactions.transaction
    def _find(self, **filters: Any) -> RecordT | None:
        """Return the one record that matches, or None."""
        with self._database.reader() as session:
            row = session.scalar(select(self.row).where(*self._conditions(filters)))
            return None if row is None else self._record(row)

    def _require(self, identifier: str, **filters: Any) -> RecordT:
        """Return the one record that matches.

        :param identifier: what the error names.
        :raises errors.NotFound: when there is none.
        """
        record = self._find(**filters)
        if record is None:
            raise errors.NotFound(kind=self.kind, id=identifier)
        return record

    def _row(self, session: Session, identifier: str, *, lock: bool = False) -> RowT:
        row = session.get(self.row, identifier, with_for_update=lock or None, populate_existing=True)
        if row is None:
            raise errors.NotFound(kind=self.kind, id=identifier)
        return row

    def _write(
        self, session: Session, identifier: str, values: Mapping[str, Any], *conditions: ColumnElement[bool]
    ) -> RecordT:
        """Write the values if the conditions hold, in one statement.

        :raises errors.NotFound: when the record is gone.
        :raises errors.StaleGeneration: when a condition does not hold.
        """
        self._require_writable(values.keys())
        statement = update(self.row).where(self.row.id == identifier, *conditions).values(dict(values))
        result = session.execute(statement, execution_options={"synchronize_session": False})
        row = self._row(session, identifier)
        if result.rowcount == 0:  # type: ignore[attr-defined]
            raise errors.StaleGeneration(kind=self.kind, id=identifier)
        return self._record(row)

    def _require_writable(self, fields: Any) -> None:
        unknown = set(fields) - (models.columns(self.row) - _FIXED)
        if unknown:
            raise ValueError(f"{self.kind}: {', '.join(sorted(unknown))} cannot be written")

    def _conditions(self, filters: Mapping[str, Any]) -> Sequence[ColumnElement[bool]]:
        return tuple(_condition(getattr(self.row, name), value) for name, value in filters.items())

    def _record(self, row: RowT) -> RecordT:
        make: Callable[..., RecordT] = self.record
        return make(**{field.name: getattr(row, field.name) for field in dataclasses.fields(self.record)})

    def _values(self, record: RecordT) -> dict[str, Any]:
        known = models.columns(self.row) - _OWNED_BY_THE_DATABASE
        return {name: getattr(record, name) for name in known if hasattr(record, name)}


class IntentRepository(Repository[RowT, RecordT]):
    """Records of what clients ask for: they have a status, and a generation that grows with each change of intent."""

    deleting: ClassVar[enum.StrEnum]
    """The status that no observation may leave."""

    @transactions.transaction
    def change(self, identifier: str, decide: Callable[[Session, RecordT], RecordT]) -> RecordT:
        """Change the intent, and increment the generation if anything changes.

        :param decide: gets the record, whose row is locked until the transaction ends, and returns it as it shall be;
            what it raises ends the transaction without a change.
        :raises errors.NotFound: when the record is gone.
        """
        with self._database.writer() as session:
            row = self._row(session, identifier, lock=True)
            before = self._record(row)
            after = decide(session, before)
            changed = {
                field.name: getattr(after, field.name)
                for field in dataclasses.fields(self.record)
                if getattr(after, field.name) != getattr(before, field.name)
            }
            if not changed:
                return before
            self._require_writable(changed)
            for name, value in changed.items():
                setattr(row, name, value)
            row.generation += 1
            session.flush()
            session.refresh(row)
            return self._record(row)

    @transactions.transaction
    def observe(self, identifier: str, *, expect: int | None = None, **fields: Any) -> RecordT:
        """Write what was seen of the object: the named fields and no others.

        :param expect: the generation that the observation was made for; None for any.
        :raises errors.NotFound: when the record is gone.
        :raises errors.StaleGeneration: when the intent has changed meanwhile, or when the object is being deleted and
            the observation has another status.
        """
        conditions = []
        if expect is not None:
            conditions.append(self.row.generation == expect)
        if fields.get("status", self.deleting) != self.deleting:
            conditions.append(self.row.status != self.deleting)
        with self._database.writer() as session:
            return self._write(session, identifier, fields, *conditions)

    def mark_deleting(self, identifier: str) -> RecordT:
        """Request the deletion of the object. Repeating the request changes nothing.

        :raises errors.NotFound: when there is none.
        :raises errors.Conflict: when the object is in use.
        """

        def decide(session: Session, record: RecordT) -> RecordT:
            return record if record.status is self.deleting else self._deleted(session, record)

        return self.change(identifier, decide)

    def _deleted(self, _session: Session, record: RecordT) -> RecordT:
        """Return the record of the object while it is being deleted; a subclass checks that it is not in use."""
        return dataclasses.replace(record, status=self.deleting, status_reason=None)


class NamedRepository(IntentRepository[RowT, RecordT]):
    """Records whose names are unique."""

    def get_by_name(self, name: str) -> RecordT:
        """Return the record with that name.

        :raises errors.NotFound: when there is none.
        """
        return self._require(name, name=name)

    def resolve(self, id_or_name: str) -> RecordT:
        """Return the record with that ID or name.

        :raises errors.NotFound: when there is none.
        """
        return self.get(id_or_name) if ids.is_uuid(id_or_name) else self.get_by_name(id_or_name)


def _condition(column: Any, value: object) -> ColumnElement[bool]:
    if isinstance(value, list | tuple | set | frozenset):
        return cast(ColumnElement[bool], column.in_(value))
    return cast(ColumnElement[bool], column.is_(None) if value is None else column == value)
