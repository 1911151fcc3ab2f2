# SPDX-License-Identifier: Apache-2.0
"""StorageClasses follow the operator's table, and the driver's role holds no more than it needs."""

from typing import Any

import testtools
from lightkube.models import meta_v1 as meta
from lightkube.resources import storage_v1 as storage

from hypernetes.kubernetes.objects import volumes
from hypernetes.model import names
from hypernetes.tests.support.fakes import apiserver
from hypernetes.tests.support.fakes import fate


class StorageClassesTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.apiserver: Any = apiserver.FakeApiserver(fate.Fate())

    def offer(self, **types: str) -> dict[str, tuple[str, str]]:
        """Offer these types; return the type of each class in the cluster and whether it is the default."""
        volumes.apply_storage_classes(self.apiserver, types)
        found = self.apiserver.list(storage.StorageClass)
        return {
            one.metadata.name: (one.parameters["type"], one.metadata.annotations[volumes._DEFAULT]) for one in found
        }

    def test_there_is_a_class_for_each_type_and_the_first_is_the_default(self) -> None:
        expected = {"standard": ("ceph", "true"), "fast": ("ssd", "false")}
        self.assertEqual(expected, self.offer(standard="ceph", fast="ssd"))
        self.assertEqual({names.CSI_DRIVER}, {one.provisioner for one in self.apiserver.list(storage.StorageClass)})

    def test_a_class_of_another_type_is_made_again_since_it_cannot_be_changed(self) -> None:
        self.offer(standard="ceph")
        deleted = []
        delete = self.apiserver.delete

        def noting(kind: type, name: str, **more: Any) -> Any:
            deleted.append(name)
            return delete(kind, name, **more)

        self.apiserver.delete = noting
        self.offer(standard="ceph")
        self.assertEqual([], deleted)
        self.assertEqual({"standard": ("ssd", "true")}, self.offer(standard="ssd"))
        self.assertEqual(["standard"], deleted)

    def test_a_class_that_is_not_offered_any_more_goes_and_a_strangers_stays(self) -> None:
        self.apiserver.apply(
            storage.StorageClass(
                metadata=meta.ObjectMeta(name="own", annotations={volumes._DEFAULT: "false"}),
                provisioner="other.example",
                parameters={"type": "x"},
            )
        )
        self.offer(standard="ceph", fast="ssd")
        self.assertEqual({"own", "fast"}, set(self.offer(fast="ssd")))
        self.assertEqual({"own"}, set(self.offer()))


class AccessTest(testtools.TestCase):
    def test_the_driver_reads_no_secret_and_writes_no_access(self) -> None:
        role: Any = volumes.access()[0]
        writes = {kind for rule in role.rules for kind in rule.resources if {"create", "update"} & set(rule.verbs)}
        self.assertEqual({"events", "persistentvolumes", "persistentvolumeclaims"}, writes)
        self.assertNotIn("secrets", {kind for rule in role.rules for kind in rule.resources})
