# SPDX-License-Identifier: Apache-2.0
"""Transactions: oslo.db's enginefacade, bound to one configuration, and the retry of deadlocked ones."""

import contextlib
import functools
from collections.abc import Callable
from collections.abc import Iterator
from typing import cast
from typing import ParamSpec
from typing import TypeVar

from oslo_config import cfg
from oslo_db import api as db_api
from oslo_db import options
from oslo_db.sqlalchemy import enginefacade
from sqlalchemy import Connection
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from hypernetes.db import failures

P = ParamSpec("P")
R = TypeVar("R")

# The options of [database] that make the engine; the others of oslo.db belong to its older API.
_ENGINE_OPTIONS = (
    "connection",
    "slave_connection",
    "mysql_sql_mode",
    "connection_recycle_time",
    "max_pool_size",
    "max_overflow",
    "pool_timeout",
    "max_retries",
    "retry_interval",
    "connection_parameters",
)


@enginefacade.transaction_context_provider
class _Context:
    """What enginefacade hangs a transaction on; a new one each time, so that two never nest by accident."""


class Transactions:
    """Where repositories get their sessions. Safe for threads; connects at first use."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        options.set_defaults(conf)
        self._manager = enginefacade.transaction_context()
        self._manager.configure(sqlite_fk=True, **{name: conf.database[name] for name in _ENGINE_OPTIONS})

    @contextlib.contextmanager
    def reader(self) -> Iterator[Session]:
        """Lend a session for reading."""
        with self._manager.reader.using(_Context()) as session:
            yield session

    @contextlib.contextmanager
    def writer(self) -> Iterator[Session]:
        """Lend a session whose changes are committed at the end of the block, or rolled back by any exception."""
        with self._manager.writer.using(_Context()) as session:
            yield session

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a connection, for migrations.

        :raises errors.Unavailable: when the database cannot serve at present.
        """
        with failures.translated(), self.engine().connect() as connection:
            yield connection

    def engine(self) -> Engine:
        """Return the engine."""
        return cast(Engine, self._manager.writer.get_engine())

    def dispose(self) -> None:
        """Close the pooled connections."""
        self._manager.dispose_pool()


def transaction(method: Callable[P, R]) -> Callable[P, R]:
    """Make a method one transaction: repeated where the database chose it as a deadlock's victim, errors translated.

    It is repeated 5 times, 0.1 s to 2 s apart, with jitter. After a lost connection it is not: whether the commit was
    carried out is then unknown.

    :raises errors.Unavailable: when the database cannot serve at present.
    """
    wrap = db_api.wrap_db_retry(
        max_retries=5, retry_interval=0.1, max_retry_interval=2, retry_on_deadlock=True, jitter=True
    )
    repeated = cast(Callable[P, R], wrap(method))

    @functools.wraps(method)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with failures.translated():
            return repeated(*args, **kwargs)

    return run
