# SPDX-License-Identifier: Apache-2.0
"""Namespaces on a network of the tenant's own."""

from hypernetes.conductor.engine import outcome
from hypernetes.conductor.namespaces import reconciler
from hypernetes.model import states
from hypernetes.tests.support import database
from hypernetes.tests.support import namespace_case

ERROR = states.NamespaceStatus.ERROR


class OwnNetworkTest(namespace_case.NamespaceCase):
    def test_a_users_own_network_is_used_and_stays(self) -> None:
        network = self.neutron.make("network", "theirs", project_id=database.RED)
        subnet = self.neutron.make("subnet", "theirs", project_id=database.RED, network_id=network)
        namespace = self.make(requested_network_id=network)
        self.settle(namespace)
        now = self.db.namespaces.get(namespace.id)
        self.assertEqual((network, subnet), (now.network_id, now.subnet_id))
        self.db.namespaces.mark_deleting(namespace.id)
        self.settle(namespace)
        self.assertEqual({network, subnet}, set(self.neutron.things))

    def test_a_network_of_another_project_is_refused(self) -> None:
        network = self.neutron.make("network", "theirs", project_id=database.BLUE)
        namespace = self.make(requested_network_id=network)
        self.assertIsInstance(self.reconcile(namespace), outcome.Settled)
        self.assertIs(ERROR, self.db.namespaces.get(namespace.id).status)

    def test_a_refused_network_of_the_tenants_is_not_looked_at_until_it_asks_again(self) -> None:
        mine = self.neutron.make("network", "mine", project_id=database.RED)
        used = reconciler.NamespaceReconciler(self.fixture.dependencies)
        for name, network in (("none", "no-such-network"), ("bare", mine)):
            with self.subTest(name):
                namespace = self.make(name, requested_network_id=network)
                self.assertIn(namespace.id, used.unsettled())
                self.assertIsInstance(self.reconcile(namespace), outcome.Settled)
                now = self.db.namespaces.get(namespace.id)
                self.assertIs(ERROR, now.status)
                self.assertIn("create the namespace again", now.status_reason or "")
                self.assertNotIn(namespace.id, [*used.unsettled(), *used.audited()])
                self.db.namespaces.mark_deleting(namespace.id)
                self.assertIn(namespace.id, used.unsettled())
                self.settle(namespace)
        self.assertEqual({mine}, set(self.neutron.things))

    def test_an_own_network_in_a_project_that_cannot_be_joined_is_looked_at_again(self) -> None:
        self.db.projects.ensure(database.RED)
        namespace = self.make(requested_network_id="theirs")
        self.db.namespaces.observe(namespace.id, status=ERROR)
        used = reconciler.NamespaceReconciler(self.fixture.dependencies)
        self.assertIn(namespace.id, used.unsettled())

    def test_a_namespace_on_the_tenants_network_makes_neither_router_nor_pool(self) -> None:
        network = self.neutron.make("network", "theirs", project_id=database.RED)
        self.neutron.make("subnet", "theirs", project_id=database.RED, network_id=network)
        self.settle(self.make(requested_network_id=network))
        self.assertEqual([], [*self.neutron.all("router"), *self.neutron.all("pool")])

    def test_on_a_users_own_network_only_our_security_group_is_made_twice(self) -> None:
        network = self.neutron.make("network", "theirs", project_id=database.RED)
        subnet = self.neutron.make("subnet", "theirs", project_id=database.RED, network_id=network)
        namespace = self.make(requested_network_id=network)
        self.settle(namespace)
        planted = self.neutron.make("network", namespace.id, project_id=database.RED)
        self.neutron.make("group", namespace.id, project_id=database.RED)
        self.db.namespaces.mark_deleting(namespace.id)
        self.settle(namespace)
        self.assertEqual({network, subnet, planted}, set(self.neutron.things))

    def test_a_network_without_port_security_is_refused(self) -> None:
        network = self.neutron.make("network", "mine", project_id=database.RED, port_security=False)
        namespace = self.make(requested_network_id=network)
        self.assertIsInstance(self.reconcile(namespace), outcome.Settled)
        now = self.db.namespaces.get(namespace.id)
        self.assertIs(ERROR, now.status)
        self.assertIn("--enable-port-security", now.status_reason or "")
