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

    def test_an_upgraded_database_is_what_the_release_wants(self) -> None:
        upgraded = self.useFixture(database.MigratedDatabase()).database
        self.assertEqual(migration.wanted(), migration.version(upgraded.transactions))

    def test_each_branch_has_one_head(self) -> None:
        self.assertLessEqual(len(migration.wanted()), len(migration.Branch))

    def test_expand_takes_nothing_away(self) -> None:
        folder = Path(migrations.__file__).parent / "versions" / "expand"
        scripts = sorted(folder.glob("e*.py"))
        self.assertNotEqual([], scripts)
        for script in scripts:
            self.assertIsNone(re.search(r"op\.(drop|rename|alter)_", script.read_text()), script.name)
