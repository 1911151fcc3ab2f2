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
from hypernetes.model import labels
from hypernetes.tests.functional.kubernetes import control_plane
from hypernetes.tests.functional.kubernetes import tenant


def _allowed(workload: client.ClusterClient, kind: Any, name: str) -> bool:
    """Tell whether a workload may get an object, which need not be there."""
    try:
        workload.find(kind, name, "red-one")
    except errors.Refused:
        return False
    return True


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

    def _role(self, *rules: dict[str, list[str]]) -> Any:
        return rbac.Role.from_dict({"metadata": {"name": "operator", "namespace": "red-one"}, "rules": list(rules)})

    def test_a_member_gives_its_workloads_what_it_holds_and_no_more(self) -> None:
        """What an operator's chart brings: a service account, a role, and a binding of the two."""
        held = (
            {"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["get", "update"]},
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "watch"]},
        )
        account = core.ServiceAccount.from_dict({"metadata": {"name": "operator", "namespace": "red-one"}})
        binding = self._binding({"kind": "ServiceAccount", "name": "operator", "namespace": "red-one"})
        binding.roleRef.kind, binding.roleRef.name = "Role", "operator"
        brought: tuple[Any, ...] = (account, self._role(*held), binding)
        for item in brought:
            self.red.create(item)
            self.addCleanup(self.administrator.delete, type(item), item.metadata.name, "red-one")
        groups = ("system:serviceaccounts", "system:serviceaccounts:red-one", "system:authenticated")
        workload = self.plane.connect("system:serviceaccount:red-one:operator", *groups)
        control_plane.wait_for("the binding", lambda: _allowed(workload, core.Secret, "default-token"))
        with self.assertRaises(errors.Refused):
            workload.list(core.ConfigMap, "red-one")
        for title, beyond in {
            "proxies": {"apiGroups": [""], "resources": ["pods/proxy"], "verbs": ["get"]},
            "everything": {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
            "bind": {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["bind"]},
            "escalate": {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["escalate"]},
        }.items():
            with self.subTest(title), self.assertRaisesRegex(errors.Refused, "attempting to grant RBAC permissions"):
                self.red.apply(self._role(*held, beyond))
        for name in ("cluster-admin", "admin", "hypernetes:admin"):
            with self.subTest(name), self.assertRaisesRegex(errors.Refused, "attempting to grant RBAC permissions"):
                more = self._binding({"kind": "ServiceAccount", "name": "operator", "namespace": "red-one"})
                more.metadata.name, more.roleRef.name = "more", name
                self.red.create(more)
                self.administrator.delete(rbac.RoleBinding, "more", "red-one")

    def test_a_member_obeys_the_rules_of_bindings(self) -> None:
        for rule, subject in (
            ("role-binding-users", {"kind": "User", "name": "keystone:red-user"}),
            ("role-binding-groups", {"kind": "Group", "name": f"hypernetes:project:{tenant.BLUE_PROJECT}:member"}),
            ("role-binding-accounts", {"kind": "ServiceAccount", "name": "default", "namespace": "blue-one"}),
        ):
            with self.subTest(rule), self.assertRaisesRegex(errors.Refused, f"hypernetes/{rule}: "):
                self.red.create(self._binding(subject))
                self.administrator.delete(rbac.RoleBinding, "subjects", "red-one")
        with self.assertRaisesRegex(Exception, "hypernetes/managed-role-bindings: "):
            self.red._client.delete(rbac.RoleBinding, f"{labels.ROLE_BINDING_PREFIX}member", namespace="red-one")
        other = self._binding({"kind": "ServiceAccount", "name": "default", "namespace": "red-one"})
        other.metadata.namespace = "blue-one"
        with self.assertRaises(errors.Refused):
            self.red.create(other)

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
