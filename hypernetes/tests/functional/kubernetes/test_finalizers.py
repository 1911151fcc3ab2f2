# SPDX-License-Identifier: Apache-2.0
"""Objects that finalizers keep, on a kube-apiserver."""

from typing import Any

import testtools
from lightkube.resources import core_v1 as core

from hypernetes.kubernetes import finalizers
from hypernetes.tests.functional.kubernetes import control_plane


class FinalizersTest(testtools.TestCase):
    def test_a_blocked_object_is_found_and_goes_when_its_finalizers_are_removed(self) -> None:
        with control_plane.ControlPlane() as plane:
            client: Any = plane.administrator()
            for name in ("kept", "locked"):
                metadata = {"name": name, "namespace": "default", "finalizers": ["example.com/never"]}
                client.create(core.ConfigMap.from_dict({"metadata": metadata, "data": {"a": "b"}}))
            client.delete(core.ConfigMap, "locked", "default")
            (blocked,) = finalizers.blocked_objects(client, "default")
            self.assertEqual("configmaps/locked (example.com/never)", str(blocked))
            finalizers.remove_finalizers(client, blocked)
            self.assertIsNone(client.find(core.ConfigMap, "locked", "default"))
            self.assertEqual([], finalizers.blocked_objects(client, "default"))
            self.assertIsNotNone(client.find(core.ConfigMap, "kept", "default"))
