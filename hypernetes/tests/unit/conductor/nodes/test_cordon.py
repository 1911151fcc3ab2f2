# SPDX-License-Identifier: Apache-2.0
"""A node that the operator has disabled is cordoned, and only for as long."""

from typing import Any

import testtools
from lightkube.models import core_v1 as core_models
from lightkube.models import meta_v1 as meta
from lightkube.resources import core_v1 as core

from hypernetes.conductor.engine import outcome
from hypernetes.conductor.nodes import reconciler
from hypernetes.kubernetes import cordon
from hypernetes.model import labels
from hypernetes.model import states
from hypernetes.tests.support import conductor_fixture
from hypernetes.tests.support import database as builders
from hypernetes.tests.support.fakes import fate as fates


class CordonTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.fixture = self.useFixture(conductor_fixture.ConductorFixture())
        self.db = self.fixture.database
        self.apiserver = self.fixture.apiserver.apiserver
        self.node = builders.node(self.db, token_hash="7" * 64)
        self.cluster = builders.cluster(self.db, nodes=(self.node.id,))

    def join(self) -> Any:
        """The Kubernetes node, as kubelet makes it."""
        item = core.Node(metadata=meta.ObjectMeta(name=self.node.name), spec=core_models.NodeSpec())
        return self.apiserver.create(item)

    def reconcile(self, dependencies: Any = None) -> outcome.Outcome:
        used = reconciler.NodeReconciler(dependencies or self.fixture.dependencies)
        return used.reconcile(self.node.id, conductor_fixture.never_lost())

    def is_pending(self) -> bool:
        return self.node.id in reconciler.NodeReconciler(self.fixture.dependencies).unsettled()

    def test_it_is_cordoned_while_it_is_disabled(self) -> None:
        item = self.join()
        self.db.nodes.set_disabled(self.node.id, "new memory")
        self.assertTrue(self.is_pending())
        self.assertIsInstance(self.reconcile(), outcome.Settled)
        self.assertTrue(item.spec.unschedulable)
        self.assertEqual("new memory", item.metadata.annotations[labels.DISABLED_ANNOTATION])
        self.assertFalse(self.is_pending())
        self.db.nodes.set_enabled(self.node.id)
        self.assertTrue(self.is_pending())
        self.reconcile()
        self.assertFalse(item.spec.unschedulable)
        self.assertEqual({}, item.metadata.annotations)
        self.assertFalse(self.is_pending())

    def test_one_without_a_reason_says_who_has_disabled_it(self) -> None:
        item = self.join()
        self.db.nodes.set_disabled(self.node.id, None)
        self.reconcile()
        self.assertEqual(cordon.NO_REASON, item.metadata.annotations[labels.DISABLED_ANNOTATION])

    def test_what_kubectl_has_cordoned_is_left_alone(self) -> None:
        item = self.join()
        self.apiserver.cordoned_by_kubectl.add(self.node.name)
        item.spec.unschedulable = True
        self.reconcile()
        self.assertTrue(item.spec.unschedulable)
        self.db.nodes.set_disabled(self.node.id, None)
        self.reconcile()
        self.db.nodes.set_enabled(self.node.id)
        self.reconcile()
        self.assertTrue(item.spec.unschedulable)

    def test_a_disabled_node_that_kubectl_has_uncordoned_is_cordoned_again(self) -> None:
        item = self.join()
        self.db.nodes.set_disabled(self.node.id, None)
        self.reconcile()
        item.spec.unschedulable = False
        self.assertIn(self.node.id, reconciler.NodeReconciler(self.fixture.dependencies).audited())
        self.reconcile()
        self.assertTrue(item.spec.unschedulable)

    def test_a_node_is_cordoned_when_it_joins(self) -> None:
        self.db.nodes.set_disabled(self.node.id, None)
        self.assertIsInstance(self.reconcile(), outcome.Settled)
        self.assertIsNone(self.apiserver.find(core.Node, self.node.name))
        self.assertTrue(self.is_pending())
        item = self.join()
        self.reconcile()
        self.assertTrue(item.spec.unschedulable)

    def test_a_cluster_that_is_not_active_is_not_asked(self) -> None:
        item = self.join()
        self.db.clusters.observe(self.cluster.id, status=states.ClusterStatus.ERROR)
        self.db.nodes.set_disabled(self.node.id, None)
        self.assertIsInstance(self.reconcile(), outcome.Settled)
        self.assertFalse(item.spec.unschedulable)
        self.assertTrue(self.is_pending())

    def test_a_cluster_takes_the_cordon_with_it(self) -> None:
        self.join()
        self.db.nodes.set_disabled(self.node.id, None)
        self.reconcile()
        self.db.clusters.delete(self.cluster.id)
        self.assertFalse(self.db.nodes.get(self.node.id).cordoned)
        self.assertTrue(self.db.nodes.get(self.node.id).disabled)

    def test_a_conductor_that_dies_after_the_request_leaves_no_cordon_behind(self) -> None:
        item = self.join()
        self.db.nodes.set_disabled(self.node.id, None)
        fate = self.fixture.fate
        fate.dies_at, fate.after_effect = fate.calls, True
        self.assertRaises(fates.Killed, self.reconcile)
        self.assertTrue(item.spec.unschedulable)
        self.assertFalse(self.db.nodes.get(self.node.id).cordoned)
        # The operator changes their mind before another conductor has looked.
        self.db.nodes.set_enabled(self.node.id)
        self.reconcile(self.fixture.restart())
        self.assertFalse(item.spec.unschedulable)
