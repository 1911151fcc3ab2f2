# SPDX-License-Identifier: Apache-2.0
"""Column types and SQL expressions that mean the same on MariaDB, PostgreSQL and SQLite."""

import datetime
import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import DateTime
from sqlalchemy import Dialect
from sqlalchemy import literal
from sqlalchemy import Text
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime.datetime]):
    """A moment, kept in UTC with microseconds and handed out with its time zone."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        # MariaDB's DATETIME drops fractions of a second unless it has a precision; leases need them.
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime())

    def process_bind_param(self, value: datetime.datetime | None, dialect: Dialect) -> datetime.datetime | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone is ambiguous")
        return value.astimezone(datetime.UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime.datetime | None, dialect: Dialect) -> datetime.datetime | None:  # noqa: ARG002
        return None if value is None else value.replace(tzinfo=datetime.UTC)


class Pairs(TypeDecorator[tuple[tuple[str, str], ...]]):
    """Pairs of texts, kept as JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Iterable[tuple[str, str]] | None, dialect: Dialect) -> str:  # noqa: ARG002
        return json.dumps([list(pair) for pair in value or ()])

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[tuple[str, str], ...]:  # noqa: ARG002
        return tuple((first, second) for first, second in json.loads(value or "[]"))


class _Moment(FunctionElement[datetime.datetime]):
    """The database's clock, moved by the one argument in seconds.

    Not this process's: conductors on machines whose clocks differ must agree on when a lease expires.
    """

    type = UtcDateTime()
    inherit_cache = True
    name = "hypernetes_moment"


def database_now(offset: float = 0.0) -> ColumnElement[datetime.datetime]:
    """The moment ``offset`` seconds after now, by the database's clock."""
    return _Moment(literal(float(offset)))


@compiles(_Moment, "mysql")
@compiles(_Moment, "mariadb")
def _mysql(element: _Moment, compiler: Any, **kwargs: Any) -> str:
    offset = compiler.process(element.clauses, **kwargs)
    return f"(UTC_TIMESTAMP(6) + INTERVAL CAST({offset} * 1000000 AS SIGNED) MICROSECOND)"


@compiles(_Moment, "postgresql")
def _postgresql(element: _Moment, compiler: Any, **kwargs: Any) -> str:
    offset = compiler.process(element.clauses, **kwargs)
    return f"(clock_timestamp() AT TIME ZONE 'UTC' + make_interval(secs => {offset}))"


@compiles(_Moment, "sqlite")
def _sqlite(element: _Moment, compiler: Any, **kwargs: Any) -> str:
    offset = compiler.process(element.clauses, **kwargs)
    # SQLAlchemy keeps six digits after the second; SQLite's %f gives three, and texts are compared as texts.
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now', ({offset}) || ' seconds') || '000')"
