# SPDX-License-Identifier: Apache-2.0
"""What belongs to a project ends with the project, also if no conductor ran when it was deleted."""

import testtools

from hypernetes.conductor.engine import outcome
from hypernetes.conductor.namespaces import gone_projects
from hypernetes.conductor.namespaces import reconciler
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.openstack import keystone
from hypernetes.tests.support import conductor_fixture
from hypernetes.tests.support import database

ACTIVE = states.NamespaceStatus.ACTIVE
CREATING = states.NamespaceStatus.CREATING
GONE = keystone.ProjectState.GONE
DISABLED = keystone.ProjectState.DISABLED


class GoneProjectsTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.fixture = self.useFixture(conductor_fixture.ConductorFixture())
        self.db = self.fixture.database
        self.keystone = self.fixture.cloud.keystone
        self.cluster = database.cluster(self.db)

    def make(self, project_id: ids.ProjectId, name: str) -> records.Namespace:
        namespace = self.db.namespaces.create(
            records.Namespace(
                id=ids.NamespaceId(ids.new_uuid()),
                project_id=project_id,
                cluster_id=self.cluster.id,
                name=name,
                status=states.NamespaceStatus.CREATING,
            )
        )
        self.settle(namespace)
        return self.db.namespaces.get(namespace.id)

    def reconcile(self, namespace: records.Namespace) -> outcome.Outcome:
        used = reconciler.NamespaceReconciler(self.fixture.dependencies)
        return used.reconcile(namespace.id, conductor_fixture.never_lost())

    def settle(self, namespace: records.Namespace) -> None:
        for _ in range(10):
            if isinstance(self.reconcile(namespace), outcome.Settled):
                return
        self.fail(f"not settled: {self.db.namespaces.list()}")

    def names(self) -> list[str]:
        return [namespace.name for namespace in self.db.namespaces.list()]

    def look(self) -> None:
        """Look at the projects, and let half of the grace go by."""
        gone_projects.release(self.fixture.dependencies)
        self.fixture.now += self.fixture.conf.conductor.gone_project_grace / 2

    def keep_looking(self) -> None:
        """Look so often that what is gone all the time is surely gone."""
        for _ in range(3):
            self.look()

    def statuses(self) -> list[states.NamespaceStatus]:
        return [one.status for one in self.db.namespaces.list()]

    def test_a_deleted_projects_namespace_goes_with_its_records(self) -> None:
        gone = self.make(database.RED, "gone")
        self.make(database.BLUE, "stays")
        self.keystone.change(database.RED, GONE)
        for _ in range(2):
            self.look()
            self.assertEqual([], self.fixture.woken)
        self.look()
        self.assertEqual([outcome.Key("namespace", gone.id)], self.fixture.woken)
        self.settle(gone)
        self.assertEqual(["stays"], self.names())
        self.look()
        self.assertEqual([database.BLUE], [project.id for project in self.db.projects.list()])

    def test_what_remains_in_neutron_is_logged_by_its_id(self) -> None:
        namespace = self.make(database.RED, "gone")
        self.keystone.change(database.RED, GONE)
        self.db.namespaces.mark_deleting(namespace.id)
        self.keep_looking()
        with self.assertLogs("hypernetes.conductor.namespaces.project", "WARNING") as logged:
            self.settle(namespace)
        for orphan in (namespace.network_id, namespace.subnet_id, namespace.security_group_id, namespace.router_id):
            self.assertIn(str(orphan), logged.output[0])

    def test_a_namespace_being_created_in_a_deleted_project_is_deleted(self) -> None:
        namespace = self.make(database.RED, "gone")
        self.db.namespaces.observe(namespace.id, status=states.NamespaceStatus.CREATING)
        self.db.projects.observe(database.RED, member_granted=False)
        self.keystone.change(database.RED, GONE)
        for _ in range(2):
            self.assertIsInstance(self.reconcile(namespace), outcome.Failed)
        self.assertEqual([CREATING], self.statuses())
        self.keep_looking()
        self.settle(namespace)
        self.assertEqual([], self.names())

    def test_one_look_deletes_nothing_whatever_the_grace(self) -> None:
        self.fixture.conf.set_override("gone_project_grace", 0.0, group="conductor")
        self.fixture.begin_graces()
        self.make(database.RED, "red")
        self.keystone.change(database.RED, GONE)
        self.look()
        self.assertEqual([ACTIVE], self.statuses())
        self.look()
        self.assertEqual([states.NamespaceStatus.DELETING], self.statuses())

    def test_a_project_that_is_found_again_has_its_whole_grace_again(self) -> None:
        self.make(database.RED, "red")
        for state in (GONE, GONE, keystone.ProjectState.ENABLED, GONE, GONE):
            self.keystone.change(database.RED, state)
            self.look()
            self.assertEqual([ACTIVE], self.statuses())
        self.look()
        self.assertEqual([states.NamespaceStatus.DELETING], self.statuses())

    def test_a_namespace_says_meanwhile_that_its_project_is_not_found(self) -> None:
        namespace = self.make(database.RED, "red")
        self.keystone.change(database.RED, GONE)
        self.look()
        self.assertEqual(
            f"Keystone does not find the project {database.RED}. The namespace and its pods are deleted if that "
            "remains so for 3600 seconds.",
            self.db.namespaces.get(namespace.id).status_reason,
        )
        self.keystone.states.clear()
        self.look()
        self.assertIsNone(self.db.namespaces.get(namespace.id).status_reason)
        self.assertEqual([outcome.Key("namespace", namespace.id)], self.fixture.woken)

    def test_a_restart_of_the_conductor_begins_the_grace_again(self) -> None:
        self.make(database.RED, "red")
        self.keystone.change(database.RED, GONE)
        self.look()
        self.look()
        self.fixture.begin_graces()
        self.look()
        self.assertEqual([ACTIVE], self.statuses())

    def test_a_keystone_that_lost_the_service_users_project_too_deletes_nothing_of_a_single_one(self) -> None:
        self.make(database.RED, "red")
        self.keystone.change(database.RED, GONE)
        self.keystone.is_whole = False
        self.keep_looking()
        self.assertEqual([ACTIVE], self.statuses())
        self.keystone.is_whole = True
        self.keep_looking()
        self.assertEqual([states.NamespaceStatus.DELETING], self.statuses())

    def test_a_deletion_abandons_nothing_in_neutron_before_the_project_is_surely_gone(self) -> None:
        namespace = self.make(database.RED, "red")
        self.db.namespaces.mark_deleting(namespace.id)
        self.keystone.change(database.RED, GONE)
        for _ in range(10):
            last = self.reconcile(namespace)
        self.assertIsInstance(last, outcome.Failed)
        self.assertIsNotNone(self.db.namespaces.get(namespace.id).network_id)
        # The user's project was only not found for a while, and what it has in Neutron is deleted.
        self.keystone.states.clear()
        self.settle(namespace)
        self.assertEqual(([], {}), (self.names(), self.fixture.cloud.neutron.things))

    def test_nothing_is_deleted_if_keystone_knows_no_project_at_all(self) -> None:
        for project_id, name in ((database.RED, "red"), (database.BLUE, "blue")):
            self.make(project_id, name)
            self.keystone.change(project_id, GONE)
        self.keep_looking()
        self.assertEqual([ACTIVE] * 2, self.statuses())

    def test_nothing_is_deleted_while_keystone_does_not_answer(self) -> None:
        self.make(database.RED, "red")

        def silent(project_id: str) -> keystone.ProjectState:
            raise errors.Unavailable(service="Keystone", reason="ConnectTimeout")

        self.keystone.project_state = silent  # type: ignore[method-assign]
        self.keep_looking()
        self.assertEqual([ACTIVE], self.statuses())

    def test_the_deletion_in_a_disabled_project_says_what_it_waits_for_and_goes_on(self) -> None:
        namespace = self.make(database.RED, "web")
        self.keystone.change(database.RED, DISABLED)
        self.db.namespaces.mark_deleting(namespace.id)
        for _ in range(3):
            self.assertNotIsInstance(self.reconcile(namespace), outcome.Settled)
        self.assertIn("disabled in Keystone", self.db.namespaces.get(namespace.id).status_reason or "")
        gone_projects.release(self.fixture.dependencies)
        self.keystone.states.clear()
        self.settle(namespace)
        self.assertEqual(([], {}), (self.names(), self.fixture.cloud.neutron.things))
