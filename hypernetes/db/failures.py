# SPDX-License-Identifier: Apache-2.0
"""The database's own failures as errors of the service, so that nothing above this package knows oslo.db."""

import contextlib
from collections.abc import Iterator

from oslo_db import exception
from sqlalchemy import exc

from hypernetes.model import errors

_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (exception.DBConnectionError, "it cannot be reached"),
    (exception.DBNonExistentDatabase, "it cannot be opened"),
    (exception.DBNonExistentTable, "its schema is not the one of this release"),
    (exception.DBDeadlock, "too many transactions block each other"),
    # The pool's: no connection became free within [database] pool_timeout.
    (exc.TimeoutError, "all connections to it are in use"),
)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Translate failures that may pass; what a statement itself did wrong is raised as it is.

    :raises errors.Unavailable: when the database cannot serve at present.
    """
    try:
        yield
    except tuple(kind for kind, _ in _REASONS) as error:
        reason = next(reason for kind, reason in _REASONS if isinstance(error, kind))
        raise errors.Unavailable(service="The database", reason=reason) from error
