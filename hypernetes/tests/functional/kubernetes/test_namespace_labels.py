# SPDX-License-Identifier: Apache-2.0
"""A tenant's own labels on its namespace, beside those of Hypernetes, on a kube-apiserver."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import testtools
from lightkube.resources import core_v1 as core

from hypernetes.kubernetes.objects import namespace_objects
from hypernetes.model import errors
from hypernetes.model import records
from hypernetes.tests.functional.kubernetes import control_plane
from hypernetes.tests.functional.kubernetes import tenant


class NamespaceLabelsTest(testtools.TestCase):
    def test_they_are_set_and_removed_and_nothing_else_is_touched(self) -> None:
        with control_plane.ControlPlane() as plane:
            client: Any = plane.administrator()
            made = tenant.record("red-labels", tenant.RED_PROJECT)
            client.create(namespace_objects.namespace(made))
            uid = client.get(core.Namespace, made.name).metadata.uid
            made = dataclasses.replace(made, kubernetes_uid=uid)
            before = self.labels(client, made)
            for wanted in ({"team": "shop", "stage": "test"}, {"stage": "live"}, {}):
                client.apply(namespace_objects.labeled(dataclasses.replace(made, labels=tuple(wanted.items()))))
                self.assertEqual({**before, **wanted}, self.labels(client, made))
            gone = dataclasses.replace(made, name="red-gone", labels=(("team", "shop"),))
            self.assertRaises(errors.Unavailable, client.apply, namespace_objects.labeled(gone))
            self.assertIsNone(client.find(core.Namespace, "red-gone"))

    def labels(self, client: Any, made: records.Namespace) -> Mapping[str, str]:
        return dict(client.get(core.Namespace, made.name).metadata.labels)
