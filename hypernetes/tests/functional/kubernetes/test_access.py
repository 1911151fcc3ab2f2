# SPDX-License-Identifier: Apache-2.0
"""Who may be given access to a namespace, on a real kube-apiserver: role bindings, and service accounts' tokens."""

import unittest
from typing import Any
from typing import ClassVar

from lightkube.resources import core_v1 as core
from lightkube.resources import rbac_authorization_v1 as rbac

from hypernetes.kubernetes import client
from hypernetes.kubernetes import verification
from hypernetes.model import errors
from hypernetes.tests.functional.kubernetes import control_plane
from hypernetes.tests.functional.kubernetes import tenant


class AccessTest(unittest.TestCase):
    """What managers may bind, so that access ends with the roles in Keystone."""

    plane: ClassVar[control_plane.ControlPlane]
    administrator: ClassVar[Any]
    red: ClassVar[Any]
    manager: ClassVar[Any]

    @classmethod
    def setUpClass(cls) -> None:
        cls.plane = cls.enterClassContext(control_plane.ControlPlane())
        cls.administrator = cls.plane.administrator()
        tenant.install_cluster(cls.administrator)
        tenant.make_namespace(cls.administrator, "red-one", tenant.RED_PROJECT)
        tenant.make_namespace(cls.administrator, "red-other", tenant.RED_PROJECT)
        tenant.make_namespace(cls.administrator, "blue-one", tenant.BLUE_PROJECT)
        cls.red = tenant.person(cls.plane, "red-user", tenant.RED_PROJECT)
        cls.manager = tenant.person(cls.plane, "red-manager", tenant.RED_PROJECT, "manager")
        control_plane.wait_for("the policies", lambda: verification.policies_are_in_force(cls.administrator))

    def _assert_refused(self, rule: str, item: Any) -> None:
        with self.assertRaises(errors.Refused) as caught:
            self.manager.create(item)
            self.administrator.delete(type(item), item.metadata.name, "red-one")
        self.assertIn(f"hypernetes/{rule}: ", str(caught.exception))

    def _binding(self, *subjects: dict[str, str]) -> Any:
        return rbac.RoleBinding.from_dict(
            {
                "metadata": {"name": "subjects", "namespace": "red-one"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "hypernetes:view"},
                "subjects": list(subjects),
            }
        )

    def test_a_binding_names_what_ends_with_the_project_s_roles(self) -> None:
        group, account = f"hypernetes:project:{tenant.RED_PROJECT}:", {"kind": "ServiceAccount", "name": "default"}
        allowed: tuple[tuple[dict[str, str], ...], ...] = (
            ({"kind": "Group", "name": f"{group}user:red-user"},),
            ({"kind": "Group", "name": f"{group}reader"}, {"kind": "Group", "name": f"{group}member"}),
            ({"kind": "Group", "name": "system:serviceaccounts:red-one"},),
            (account | {"namespace": "red-one"},),
            # More than CEL lets the authorizer be asked in one rule.
            tuple(account | {"namespace": "red-other", "name": f"a{number}"} for number in range(5)),
            (account | {"namespace": "red-other"}, account | {"namespace": "red-one"}),
            (),
        )
        for subjects in allowed:
            with self.subTest(subjects=subjects):
                self.manager.create(self._binding(*subjects))
                self.manager.delete(rbac.RoleBinding, "subjects", "red-one")
        refused: tuple[tuple[str, dict[str, str]], ...] = (
            ("role-binding-users", {"kind": "User", "name": "keystone:red-user"}),
            ("role-binding-users", {"kind": "User", "name": "system:serviceaccount:blue-one:default"}),
            ("role-binding-groups", {"kind": "Group", "name": f"hypernetes:project:{tenant.BLUE_PROJECT}:member"}),
            ("role-binding-groups", {"kind": "Group", "name": "system:authenticated"}),
            ("role-binding-groups", {"kind": "Group", "name": "system:serviceaccounts"}),
            ("role-binding-groups", {"kind": "Group", "name": "system:serviceaccounts:blue-one"}),
            ("role-binding-accounts", account | {"namespace": "blue-one"}),
            ("role-binding-accounts", account | {"namespace": "not-there"}),
            ("role-binding-accounts", account | {"namespace": "kube-system"}),
        )
        for rule, subject in refused:
            with self.subTest(subject=subject):
                self._assert_refused(rule, self._binding(subject))
        # Beside a good one, and by a change.
        self._assert_refused(
            "role-binding-accounts",
            self._binding(account | {"namespace": "red-other"}, account | {"namespace": "blue-one"}),
        )
        self.manager.create(self._binding(account | {"namespace": "red-one"}))
        self.addCleanup(self.administrator.delete, rbac.RoleBinding, "subjects", "red-one")
        with self.assertRaisesRegex(errors.Refused, "hypernetes/role-binding-users: "):
            self.manager.apply(self._binding({"kind": "User", "name": "keystone:red-user"}))

    def test_what_was_bound_before_the_rules_can_be_deleted(self) -> None:
        self.administrator.create(self._binding({"kind": "User", "name": "keystone:red-user"}))
        self.manager.delete(rbac.RoleBinding, "subjects", "red-one")
        self.assertIsNone(self.administrator.find(rbac.RoleBinding, "subjects", "red-one"))

    def _request_token(self, requester: client.ClusterClient) -> Any:
        return requester.request(
            "POST",
            "/api/v1/namespaces/red-one/serviceaccounts/default/token",
            body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
        )["status"]["token"]

    def test_a_service_account_requests_no_token(self) -> None:
        self.assertTrue(self._request_token(self.red))
        member = {"kind": "Group", "name": "system:serviceaccounts:red-one"}
        binding = self._binding(member)
        binding.roleRef.name = "hypernetes:edit"
        self.administrator.create(binding)
        self.addCleanup(self.administrator.delete, rbac.RoleBinding, "subjects", "red-one")
        groups = ("system:serviceaccounts", "system:serviceaccounts:red-one", "system:authenticated")
        workload = self.plane.connect("system:serviceaccount:red-one:default", *groups)
        control_plane.wait_for("the binding", lambda: workload.list(core.ConfigMap, "red-one") is not None)
        with self.assertRaisesRegex(errors.Refused, "hypernetes/service-account-tokens: "):
            self._request_token(workload)
