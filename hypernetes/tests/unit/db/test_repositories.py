# SPDX-License-Identifier: Apache-2.0
"""The repositories on SQLite."""

import testtools
from oslo_db import exception as db_exception
from sqlalchemy import exc

from hypernetes.db import api
from hypernetes.db import failures
from hypernetes.model import errors
from hypernetes.tests.support import database
from hypernetes.tests.support import repository_contract


class RepositoriesTest(
    repository_contract.RecordContract,
    repository_contract.AggregateContract,
    repository_contract.NodeContract,
    repository_contract.LeaseContract,
):
    """What every database must do, done by SQLite."""

    def setUp(self) -> None:
        super().setUp()
        self.database = self.useFixture(database.MigratedDatabase()).database


class FailuresTest(testtools.TestCase):
    """The database's own failures."""

    def test_what_may_pass_is_unavailable(self) -> None:
        for failure in (db_exception.DBConnectionError(), db_exception.DBDeadlock(), exc.TimeoutError()):
            error = self.assertRaises(errors.Unavailable, self._raise, failure)
            self.assertIn("The database is temporarily unavailable", error.detail)

    def test_what_a_statement_did_wrong_is_not(self) -> None:
        for failure in (db_exception.DBDataError(), db_exception.DBDuplicateEntry()):
            self.assertRaises(type(failure), self._raise, failure)

    def test_a_database_that_cannot_be_read_is_unavailable(self) -> None:
        for connection, reason in (
            ("sqlite:////nowhere/at/all.sqlite", "opened"),
            ("sqlite://", "schema"),
            ("mysql+pymysql://root@127.0.0.1:1/hypernetes", "reached"),
        ):
            away = api.Database(database.configuration(connection))
            self.addCleanup(away.transactions.dispose)
            self.assertIn(reason, self.assertRaises(errors.Unavailable, away.nodes.list).message)

    def _raise(self, failure: Exception) -> None:
        with failures.translated():
            raise failure
