# SPDX-License-Identifier: Apache-2.0
"""The repositories on SQLite."""

from hypernetes.tests.unit.db import contract
from hypernetes.tests.unit.db import database


class RepositoriesTest(
    contract.RecordContract,
    contract.AggregateContract,
    contract.NodeContract,
    contract.LeaseContract,
):
    """What every database must do, done by SQLite."""

    def setUp(self) -> None:
        super().setUp()
        self.database = self.useFixture(database.MigratedDatabase()).database
