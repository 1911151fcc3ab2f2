# SPDX-License-Identifier: Apache-2.0
"""The migrations, as far as they can be judged without a server."""

import ast
from collections.abc import Iterator
from pathlib import Path

import fixtures
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

    def test_this_release_works_before_contract_has_run(self) -> None:
        file = Path(self.useFixture(fixtures.TempDir()).path) / "expanded.sqlite"
        expanded = self.useFixture(database.MigratedDatabase(f"sqlite:///{file}", migration.Branch.EXPAND)).database
        node = database.node(expanded)
        namespace = database.namespace(expanded, database.cluster(expanded).id)
        database.port(expanded, namespace.id, node.id)
        expanded.projects.ensure(database.RED)
        expanded.nodes.record_enrollment_failure(node.id, window=60)
        self.assertEqual(1, expanded.nodes.count_enrollment_failures(node.id))
        self.assertTrue(expanded.leases.acquire("namespace:1", "one", 60))

    def test_each_branch_has_one_head(self) -> None:
        self.assertLessEqual(len(migration.wanted()), len(migration.Branch))

    def test_expand_takes_nothing_away(self) -> None:
        directory = Path(migrations.__file__).parent / "versions" / "expand"
        scripts = sorted(directory.glob("e*.py"))
        self.assertNotEqual([], scripts)
        for script in scripts:
            self.assertEqual([], list(_removals(ast.parse(script.read_text()))), script.name)

    def test_a_removal_is_found(self) -> None:
        for statement in ("op.drop_table('x')", "batch.drop_column('x')", "op.alter_column('t', 'x', nullable=False)"):
            self.assertNotEqual([], list(_removals(ast.parse(statement))), statement)


def _removals(script: ast.Module) -> Iterator[str]:
    """Return the operations that would disturb the old release; it does not notice that a column gets a default."""
    for node in ast.walk(script):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            operation, _, _ = node.func.attr.partition("_")
            changed = {keyword.arg for keyword in node.keywords if not str(keyword.arg).startswith("existing_")}
            if operation in ("drop", "rename") or (node.func.attr == "alter_column" and changed != {"server_default"}):
                yield node.func.attr
