# SPDX-License-Identifier: Apache-2.0
"""The base of tests of namespaces: they are created as the API creates them and reconciled with fakes."""

import dataclasses

import testtools

from hypernetes.conductor import dependencies
from hypernetes.conductor.engine import outcome
from hypernetes.conductor.namespaces import reconciler
from hypernetes.model import ids
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.tests.support import conductor_fixture
from hypernetes.tests.support import database


class NamespaceCase(testtools.TestCase):
    """Base of tests that reconcile namespaces: a conductor's fixture with one cluster."""

    def setUp(self) -> None:
        super().setUp()
        self.fixture = self.useFixture(conductor_fixture.ConductorFixture())
        self.db = self.fixture.database
        self.neutron = self.fixture.cloud.neutron
        self.apiserver = self.fixture.apiserver.apiserver
        self.cluster = database.cluster(self.db)

    def make(self, name: str = "web", **fields: str) -> records.Namespace:
        """Create a namespace as the API does."""
        record = records.Namespace(
            id=ids.NamespaceId(ids.new_uuid()),
            project_id=database.RED,
            cluster_id=self.cluster.id,
            name=name,
            status=states.NamespaceStatus.CREATING,
        )
        return self.db.namespaces.create(dataclasses.replace(record, **fields))  # type: ignore[arg-type]

    def reconcile(self, namespace: records.Namespace, seen: dependencies.Dependencies | None = None) -> outcome.Outcome:
        """Reconcile it once."""
        used = reconciler.NamespaceReconciler(seen or self.fixture.dependencies)
        return used.reconcile(namespace.id, conductor_fixture.never_lost())

    def settle(self, namespace: records.Namespace, seen: dependencies.Dependencies | None = None) -> None:
        """Reconcile it until nothing is left to do."""
        for _ in range(10):
            if isinstance(self.reconcile(namespace, seen), outcome.Settled):
                return
        self.fail(f"not settled: {self.db.namespaces.list()}")
