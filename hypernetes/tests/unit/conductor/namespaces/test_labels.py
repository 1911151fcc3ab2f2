# SPDX-License-Identifier: Apache-2.0
"""The tenant's labels on the Kubernetes namespace."""

from collections.abc import Mapping

from lightkube.resources import core_v1 as core

from hypernetes.conductor.namespaces import reconciler
from hypernetes.kubernetes.objects import namespace_objects
from hypernetes.model import records
from hypernetes.tests.support import namespace_case
from hypernetes.tests.support.fakes import fate as fates


class LabelsTest(namespace_case.NamespaceCase):
    def labeled(self, namespace: records.Namespace, **labels: str) -> None:
        self.db.namespaces.describe(namespace.id, lambda _: None, lambda _: labels)

    def found(self, namespace: records.Namespace) -> Mapping[str, str]:
        """The tenant's labels in the cluster; those of Hypernetes must be there as well."""
        labels = dict(self.apiserver.find(core.Namespace, namespace.name).metadata.labels)
        for key, value in namespace_objects.namespace_labels(self.db.namespaces.get(namespace.id)).items():
            self.assertEqual(value, labels.pop(key))
        return labels

    def is_unsettled(self, namespace: records.Namespace) -> bool:
        return namespace.id in reconciler.NamespaceReconciler(self.fixture.dependencies).unsettled()

    def test_they_are_applied_changed_and_removed(self) -> None:
        namespace = self.make()
        self.labeled(namespace, team="shop")
        self.settle(namespace)
        self.assertEqual({"team": "shop"}, self.found(namespace))
        for labels in ({"team": "other", "stage": "test"}, {"stage": "test"}, {}):
            self.labeled(namespace, **labels)
            self.assertTrue(self.is_unsettled(namespace))
            self.settle(namespace)
            self.assertEqual(labels, self.found(namespace))
            self.assertFalse(self.is_unsettled(namespace))

    def test_what_kubectl_has_changed_is_set_again(self) -> None:
        namespace = self.make()
        self.labeled(namespace, team="shop")
        self.settle(namespace)
        self.apiserver.find(core.Namespace, namespace.name).metadata.labels.pop("team")
        self.settle(namespace)
        self.assertEqual({"team": "shop"}, self.found(namespace))

    def test_a_conductor_that_dies_after_the_request_repeats_it(self) -> None:
        namespace = self.make()
        self.settle(namespace)
        self.labeled(namespace, team="shop")
        fate = self.fixture.fate
        fate.dies_at, fate.after_effect = fate.calls, True
        self.assertRaises(fates.Killed, self.settle, namespace)
        self.assertTrue(self.is_unsettled(namespace))
        self.labeled(namespace)
        self.settle(namespace, self.fixture.restart())
        self.assertEqual({}, self.found(namespace))
        self.assertFalse(self.is_unsettled(namespace))
