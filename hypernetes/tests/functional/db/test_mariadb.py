# SPDX-License-Identifier: Apache-2.0
"""The repositories and migrations on a real MariaDB."""

import threading
from collections.abc import Callable
from concurrent import futures
from typing import TypeVar

import testtools
from alembic import autogenerate
from alembic.runtime import migration as alembic_migration
from sqlalchemy import event

from hypernetes.db import migration
from hypernetes.db import models
from hypernetes.model import errors
from hypernetes.model import records
from hypernetes.tests.functional.db import mariadb
from hypernetes.tests.support import database as builders
from hypernetes.tests.support import repository_contract as contract

T = TypeVar("T")

_AT_ONCE = 8
"""Threads of a race; as many connections as oslo.db's pool lends without waiting."""


class MariaDBTest(testtools.TestCase):
    """With a migrated database of its own."""

    def setUp(self) -> None:
        super().setUp()
        connection = self.useFixture(mariadb.MariaDB()).connection
        self.database = self.useFixture(builders.MigratedDatabase(connection)).database


class RepositoriesTest(
    contract.RecordContract,
    contract.AggregateContract,
    contract.NodeContract,
    contract.LeaseContract,
    MariaDBTest,
):
    """What every database must do, done by MariaDB."""


class MigrationTest(MariaDBTest):
    """The migrations."""

    def test_the_migrations_end_where_the_models_are(self) -> None:
        with self.database.transactions.engine().connect() as connection:
            context = alembic_migration.MigrationContext.configure(connection, opts={"compare_server_default": True})
            self.assertEqual([], autogenerate.compare_metadata(context, models.Base.metadata))

    def test_upgrading_again_changes_nothing(self) -> None:
        before = migration.version(self.database.transactions)
        migration.upgrade(self.database.transactions, migration.Branch.EXPAND)
        migration.upgrade(self.database.transactions)
        self.assertEqual(before, migration.version(self.database.transactions))


class ExpandedTest(testtools.TestCase):
    """Between the two steps of an upgrade."""

    def test_a_project_is_recorded_before_contract_has_run(self) -> None:
        connection = self.useFixture(mariadb.MariaDB()).connection
        expanded = self.useFixture(builders.MigratedDatabase(connection, migration.Branch.EXPAND)).database
        self.assertEqual(builders.RED, expanded.projects.ensure(builders.RED).id)


class RaceTest(MariaDBTest):
    """What many do at once."""

    def race(self, attempt: Callable[[int], T]) -> list[T | errors.HypernetesError]:
        """What each of the threads got, an error included, when all began together."""
        barrier = threading.Barrier(_AT_ONCE)

        def run(number: int) -> T | errors.HypernetesError:
            barrier.wait(timeout=30)
            try:
                return attempt(number)
            except errors.HypernetesError as error:
                return error

        with futures.ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(run, range(_AT_ONCE)))

    def test_one_of_many_gets_the_lease(self) -> None:
        won = self.race(lambda number: self.database.leases.acquire("cluster:1", f"conductor{number}", 60))
        self.assertEqual(1, won.count(True))

    def test_one_of_many_gets_an_expired_lease(self) -> None:
        self.database.leases.acquire("cluster:1", "dead", -1)
        won = self.race(lambda number: self.database.leases.acquire("cluster:1", f"conductor{number}", 60))
        self.assertEqual(1, won.count(True))

    def test_one_of_many_gets_the_name(self) -> None:
        cluster = builders.cluster(self.database)
        got = self.race(lambda _: builders.namespace(self.database, cluster.id))
        self.assertEqual(1, sum(isinstance(each, records.Namespace) for each in got))
        self.assertEqual(_AT_ONCE - 1, sum(isinstance(each, errors.NameTaken) for each in got))

    def test_one_of_many_agents_enrolls(self) -> None:
        node = builders.node(self.database)
        got = self.race(
            lambda number: self.database.nodes.enroll(node.id, secret_hash=contract.HASH, token_hash=str(number) * 64)
        )
        self.assertEqual(1, sum(isinstance(each, records.Node) for each in got))

    def test_one_of_many_clusters_gets_the_node(self) -> None:
        node = builders.node(self.database)
        got = self.race(lambda number: builders.cluster(self.database, f"cluster{number}", nodes=(node.id,)))
        self.assertEqual(1, sum(isinstance(each, records.Cluster) for each in got))

    def test_a_cluster_is_never_deleted_under_a_new_namespace(self) -> None:
        cluster = builders.cluster(self.database)

        def attempt(number: int) -> object:
            if number == 0:
                return self.database.clusters.mark_deleting(cluster.id)
            return builders.namespace(self.database, cluster.id, f"web{number}")

        got = self.race(attempt)
        deleted = isinstance(got[0], records.Cluster)
        self.assertEqual(deleted, not self.database.namespaces.list())

    def test_many_at_once_do_not_exceed_a_projects_limit_in_two_clusters(self) -> None:
        clusters = [builders.cluster(self.database, name) for name in ("one", "two")]
        self.database.projects.ensure(builders.RED)

        def attempt(number: int) -> records.Namespace:
            record = builders.namespace_record(clusters[number % 2].id, f"web{number}")
            return self.database.namespaces.create(record, per_project=3)

        got = self.race(attempt)
        self.assertEqual(3, len(self.database.namespaces.list()))
        self.assertEqual(_AT_ONCE - 3, sum(isinstance(each, errors.LimitReached) for each in got))

    def test_failures_at_once_are_all_counted(self) -> None:
        node = builders.node(self.database)
        self.race(lambda _: self.database.nodes.record_enrollment_failure(node.id, window=60))
        self.assertEqual(_AT_ONCE, self.database.nodes.count_enrollment_failures(node.id))


class HeartbeatTest(MariaDBTest):
    """The cost of a batch."""

    def test_a_batch_of_any_size_is_one_statement(self) -> None:
        nodes = [builders.node(self.database, f"node{number}") for number in range(50)]
        statements: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
            statements.append(statement)

        engine = self.database.transactions.engine()
        event.listen(engine, "before_cursor_execute", note)
        self.database.nodes.heartbeat_many([records.NodeReport(node.id, "198.51.100.1", "1", "b") for node in nodes])
        event.remove(engine, "before_cursor_execute", note)
        self.assertEqual(1, len([each for each in statements if each.startswith("UPDATE")]))
        self.assertEqual(0, len([each for each in statements if each.startswith("INSERT")]))
