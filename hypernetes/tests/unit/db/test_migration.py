# SPDX-License-Identifier: Apache-2.0
"""The migrations, as far as they can be judged without a server."""

import re
from pathlib import Path

import testtools

from hypernetes.db import migration
from hypernetes.db import migrations
from hypernetes.tests.support import database


class MigrationTest(testtools.TestCase):
    """Order and content of the scripts."""

    def test_an_upgraded_database_has_this_releases_revisions(self) -> None:
        upgraded = self.useFixture(database.MigratedDatabase()).database
        self.assertEqual(migration.wanted(), migration.version(upgraded.transactions))

    def test_nothing_is_pending_after_an_upgrade(self) -> None:
        upgraded = self.useFixture(database.MigratedDatabase()).database
        for branch in migration.Branch:
            self.assertEqual((), migration.pending(upgraded.transactions, branch))

    def test_each_branch_has_one_head(self) -> None:
        self.assertLessEqual(len(migration.wanted()), len(migration.Branch))

    def test_expand_takes_nothing_away(self) -> None:
        directory = Path(migrations.__file__).parent / "versions" / "expand"
        scripts = sorted(directory.glob("e*.py"))
        self.assertNotEqual([], scripts)
        for script in scripts:
            self.assertIsNone(re.search(r"op\.(drop|rename|alter)_", script.read_text()), script.name)
