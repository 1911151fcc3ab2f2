# SPDX-License-Identifier: Apache-2.0
"""What a real apiserver's authorization, encryption and audit leave to a tenant."""

import base64
import unittest
from typing import Any
from typing import ClassVar

from lightkube.resources import authorization_v1 as authorization
from lightkube.resources import core_v1 as core

from hypernetes.model import ids
from hypernetes.model import names
from hypernetes.tests.functional.kubernetes import control_plane
from hypernetes.tests.functional.kubernetes import tenant


class RolesTest(unittest.TestCase):
    """What Kubernetes' own authorization leaves to a tenant."""

    plane: ClassVar[control_plane.ControlPlane]
    administrator: ClassVar[Any]

    @classmethod
    def setUpClass(cls) -> None:
        cls.plane = cls.enterClassContext(control_plane.ControlPlane())
        cls.administrator = cls.plane.administrator()
        tenant.install_cluster(cls.administrator)
        tenant.make_namespace(cls.administrator, "red-one", tenant.RED_PROJECT)
        tenant.make_namespace(cls.administrator, "blue-one", tenant.BLUE_PROJECT)
        cls.administrator.create(
            core.Secret.from_dict({"metadata": {"name": "s", "namespace": "red-one"}, "stringData": {"a": "b"}})
        )

    def _allowed(self, user: str, groups: list[str], verb: str, kind: str, namespace: str | None, **more: str) -> bool:
        """What the apiserver's authorizer says, for everything without a side effect."""
        group, _, rest = kind.rpartition("/")
        name, _, subresource = rest.partition(":")
        attributes = {"verb": verb, "group": group, "resource": name, "subresource": subresource, **more}
        if namespace:
            attributes["namespace"] = namespace
        review = authorization.SubjectAccessReview.from_dict(
            {
                "metadata": {},
                "spec": {"user": user, "groups": [*groups, "system:authenticated"], "resourceAttributes": attributes},
            }
        )
        return bool(self.administrator.create(review).status.allowed)

    def _red(self, role: str, verb: str, kind: str, namespace: str | None = "red-one", **more: str) -> bool:
        groups = [names.group_of(tenant.RED_PROJECT, role)]
        return self._allowed("keystone:red-user", groups, verb, kind, namespace, **more)

    def test_each_role_can_do_its_work_in_its_own_namespace(self) -> None:
        allowed = (
            ("reader", "list", "pods"),
            ("reader", "get", "pods:log"),
            ("member", "create", "pods"),
            ("member", "create", "pods:exec"),
            ("member", "get", "secrets"),
            ("member", "create", "apps/deployments"),
            ("member", "create", "rbac.authorization.k8s.io/roles"),
            ("member", "create", "rbac.authorization.k8s.io/rolebindings"),
            ("manager", "create", "authorization.k8s.io/localsubjectaccessreviews"),
        )
        for role, verb, kind in allowed:
            with self.subTest(f"{role} {verb} {kind}"):
                self.assertTrue(self._red(role, verb, kind))

    def test_no_role_reaches_a_neighbour_or_the_cluster(self) -> None:
        for verb, kind in (("list", "pods"), ("get", "secrets"), ("create", "pods:exec"), ("get", "pods:log")):
            with self.subTest(f"blue: {verb} {kind}"):
                self.assertFalse(self._red("admin", verb, kind, "blue-one"))
        for verb, kind in (
            ("list", "namespaces"),
            ("create", "namespaces"),
            ("list", "nodes"),
            ("list", "pods"),
            ("get", "persistentvolumes"),
        ):
            with self.subTest(f"cluster: {verb} {kind}"):
                self.assertFalse(self._red("admin", verb, kind, None))

    def test_no_role_holds_what_makes_the_apiserver_dial_or_grants_more(self) -> None:
        for verb, kind in (
            ("get", "pods:proxy"), ("create", "services:proxy"), ("update", "pods:status"), ("create", "pods:binding"),
            ("update", "pods:resize"), ("create", "endpoints"), ("update", "resourcequotas"),
            ("impersonate", "serviceaccounts"), ("delete", "namespaces"), ("update", "namespaces:finalize"),
            ("bind", "rbac.authorization.k8s.io/roles"), ("escalate", "rbac.authorization.k8s.io/roles"),
            ("create", "discovery.k8s.io/endpointslices"),
        ):  # fmt: skip
            with self.subTest(f"{verb} {kind}"):
                self.assertFalse(self._red("admin", verb, kind))

    def test_a_reader_neither_writes_nor_sees_secrets(self) -> None:
        for verb, kind in (
            ("create", "pods"),
            ("get", "secrets"),
            ("create", "pods:exec"),
            ("patch", "namespaces"),
            ("create", "rbac.authorization.k8s.io/rolebindings"),
        ):
            with self.subTest(f"{verb} {kind}"):
                self.assertFalse(self._red("reader", verb, kind))

    def test_the_name_of_a_component_as_keystone_user_gains_nothing(self) -> None:
        """The webhook puts keystone: before the id, and a name goes to extra only."""
        user = names.user_of(ids.UserId("system:kube-controller-manager"))
        self.assertFalse(self._allowed(user, [], "list", "secrets", "red-one"))
        self.assertTrue(self._allowed("system:kube-controller-manager", [], "list", "secrets", "red-one"))

    def test_secrets_are_encrypted_in_etcd_and_absent_from_the_audit_log(self) -> None:
        marker = "a-secret-to-look-for"
        self.administrator.create(
            core.Secret.from_dict({"metadata": {"name": "marked", "namespace": "red-one"}, "stringData": {"a": marker}})
        )
        self.administrator.create(
            core.ConfigMap.from_dict(
                {"metadata": {"name": "marked", "namespace": "red-one"}, "data": {"a": "plain-" + marker}}
            )
        )
        database = b"".join(path.read_bytes() for path in (self.plane.directory / "etcd").rglob("*") if path.is_file())
        self.assertIn(b"plain-" + marker.encode(), database)
        self.assertNotIn(base64.b64encode(marker.encode()), database)
        self.assertEqual(database.count(marker.encode()), database.count(b"plain-" + marker.encode()))
        log = (self.plane.directory / "audit.log").read_text()
        self.assertIn('"name":"marked"', log)
        self.assertNotIn(marker, log)
