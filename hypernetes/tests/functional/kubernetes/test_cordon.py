# SPDX-License-Identifier: Apache-2.0
"""Nodes that Hypernetes cordons, beside those that kubectl cordons, on a kube-apiserver."""

import unittest
from typing import Any
from typing import ClassVar

from lightkube.resources import core_v1 as core

from hypernetes.kubernetes import cordon
from hypernetes.model import errors
from hypernetes.model import labels
from hypernetes.tests.functional.kubernetes import control_plane


class CordonTest(unittest.TestCase):
    plane: ClassVar[control_plane.ControlPlane]
    administrator: ClassVar[Any]

    @classmethod
    def setUpClass(cls) -> None:
        cls.plane = cls.enterClassContext(control_plane.ControlPlane())
        cls.administrator = cls.plane.administrator()

    def join(self, name: str) -> None:
        self.administrator.create(core.Node.from_dict({"metadata": {"name": name}}))

    def kubectl(self, name: str, unschedulable: bool | None) -> None:
        """What ``kubectl cordon`` and ``kubectl uncordon`` send."""
        self.administrator.request(
            "PATCH",
            f"/api/v1/nodes/{name}",
            parameters={"fieldManager": "kubectl-cordon"},
            body={"spec": {"unschedulable": unschedulable}},
            content_type="application/strategic-merge-patch+json",
        )

    def ensure(self, name: str, *, disabled: bool) -> bool:
        return cordon.ensure(self.administrator, name, disabled=disabled, reason="new memory")

    def state(self, name: str) -> tuple[bool, bool]:
        """Whether the node is cordoned, and whether it is marked as disabled."""
        node = self.administrator.get(core.Node, name)
        return bool(node.spec.unschedulable), labels.DISABLED_ANNOTATION in (node.metadata.annotations or {})

    def test_a_node_is_cordoned_and_released(self) -> None:
        self.join("plain")
        for _ in range(2):
            self.assertTrue(self.ensure("plain", disabled=True))
            self.assertEqual((True, True), self.state("plain"))
        for _ in range(2):
            self.assertTrue(self.ensure("plain", disabled=False))
            self.assertEqual((False, False), self.state("plain"))

    def test_a_cordon_by_kubectl_stays(self) -> None:
        self.join("cordoned")
        self.kubectl("cordoned", True)
        self.ensure("cordoned", disabled=False)
        self.assertEqual((True, False), self.state("cordoned"))
        self.ensure("cordoned", disabled=True)
        self.ensure("cordoned", disabled=False)
        self.assertEqual((True, False), self.state("cordoned"))

    def test_kubectl_does_not_enable_a_disabled_node(self) -> None:
        self.join("uncordoned")
        self.ensure("uncordoned", disabled=True)
        self.kubectl("uncordoned", None)
        self.assertEqual((False, True), self.state("uncordoned"))
        self.ensure("uncordoned", disabled=True)
        self.assertEqual((True, True), self.state("uncordoned"))
        self.ensure("uncordoned", disabled=False)
        self.assertEqual((False, False), self.state("uncordoned"))

    def test_a_node_that_is_gone_is_not_made(self) -> None:
        self.assertFalse(self.ensure("gone", disabled=True))
        with self.assertRaises(errors.Unavailable):
            self.administrator.apply(cordon.cordoned("gone", "11111111-1111-4111-8111-111111111111", None))
        self.assertIsNone(self.administrator.find(core.Node, "gone"))
