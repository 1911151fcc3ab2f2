# SPDX-License-Identifier: Apache-2.0
"""The repositories on SQLite."""

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
