# SPDX-License-Identifier: Apache-2.0
"""What two writers on different servers of a Galera cluster do at once."""

import contextlib
import functools
import threading
from collections.abc import Callable
from concurrent import futures

import testtools
from sqlalchemy import event
from sqlalchemy.orm import Session

from hypernetes.db import api
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import states
from hypernetes.tests.functional.db import galera
from hypernetes.tests.support import database as builders

_TIMES = 20
_TOGETHER_SECONDS = 5.0


class GaleraTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        first, second = self.useFixture(galera.Galera()).connections
        self.first = self.useFixture(builders.MigratedDatabase(first)).database
        self.second = api.Database(builders.configuration(second))
        self.addCleanup(self.second.transactions.dispose)
        self.armed = threading.local()
        self.barrier = threading.Barrier(2)
        event.listen(Session, "before_commit", self.meet)
        self.addCleanup(event.remove, Session, "before_commit", self.meet)

    def meet(self, _session: Session) -> None:
        """Have the first commits of both threads begin together, so that neither has seen the other."""
        if getattr(self.armed, "yes", False):
            self.armed.yes = False
            with contextlib.suppress(threading.BrokenBarrierError):
                self.barrier.wait(_TOGETHER_SECONDS)

    def together(self, *acts: Callable[[], object]) -> None:
        """Run both in threads; what they are refused is seen in the database."""
        self.barrier.reset()

        def run(act: Callable[[], object]) -> None:
            self.armed.yes = True
            with contextlib.suppress(errors.HypernetesError):
                act()

        with futures.ThreadPoolExecutor(len(acts)) as threads:
            for done in [threads.submit(run, act) for act in acts]:
                done.result(timeout=60)

    def test_a_namespace_is_never_born_into_a_cluster_that_is_being_deleted(self) -> None:
        for number in range(_TIMES):
            cluster = builders.cluster(self.first, f"cluster{number}")
            self.together(
                functools.partial(builders.namespace, self.first, cluster.id, f"web{number}"),
                functools.partial(self.second.clusters.mark_deleting, cluster.id),
            )
            deleting = self.first.clusters.get(cluster.id).status is states.ClusterStatus.DELETING
            self.assertEqual(deleting, not self.first.namespaces.list(cluster_id=cluster.id), cluster.name)

    def test_a_projects_limit_holds_on_both_servers_together(self) -> None:
        clusters = [builders.cluster(self.first, name) for name in ("one", "two")]
        for number in range(_TIMES):
            project = ids.ProjectId(f"{number:032x}")
            for database in (self.first, self.second):
                database.projects.ensure(project)

            one, two = (
                functools.partial(
                    database.namespaces.create,
                    builders.namespace_record(cluster.id, f"web-{ids.new_uuid()[:8]}", project),
                    per_project=1,
                )
                for database, cluster in zip((self.first, self.second), clusters, strict=True)
            )
            self.together(one, two)
            self.assertEqual(1, len(self.first.namespaces.list(project_id=project)), project)
