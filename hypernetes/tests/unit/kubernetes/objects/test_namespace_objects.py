# SPDX-License-Identifier: Apache-2.0
"""What a tenant's namespace holds, and what a cluster holds for all of them."""

from typing import Any

import testtools

from hypernetes.kubernetes.objects import install
from hypernetes.kubernetes.objects import namespace_objects
from hypernetes.kubernetes.objects import roles
from hypernetes.kubernetes.objects import runtime_and_priority
from hypernetes.model import labels
from hypernetes.model import names
from hypernetes.tests.support import kubernetes_builders


class NamespaceTest(testtools.TestCase):
    """Objects of one namespace."""

    def test_a_namespace_says_whose_it_is(self) -> None:
        made: Any = namespace_objects.namespace(kubernetes_builders.namespace())
        self.assertEqual(
            {labels.PROJECT: "red", labels.NAMESPACE: "ns-1", labels.NETWORK: "net-1"},
            made.metadata.labels,
        )

    def test_a_namespace_without_network_is_not_made(self) -> None:
        self.assertRaises(ValueError, namespace_objects.namespace, kubernetes_builders.namespace(network_id=None))

    def test_each_role_is_bound_to_the_project_s_group_and_no_other(self) -> None:
        made: list[Any] = namespace_objects.role_bindings(kubernetes_builders.namespace())
        bound = {binding.subjects[0].name: binding.roleRef.name for binding in made}
        self.assertEqual(
            {
                "hypernetes:project:red:reader": "hypernetes:view",
                "hypernetes:project:red:member": "hypernetes:edit",
                "hypernetes:project:red:manager": "hypernetes:admin",
                "hypernetes:project:red:admin": "hypernetes:admin",
            },
            bound,
        )
        self.assertEqual({1}, {len(binding.subjects) for binding in made})

    def test_bindings_carry_the_prefix_that_admission_guards(self) -> None:
        made: list[Any] = namespace_objects.role_bindings(kubernetes_builders.namespace())
        self.assertTrue(all(b.metadata.name.startswith(labels.ROLE_BINDING_PREFIX) for b in made))

    def test_contents_lie_in_the_namespace(self) -> None:
        items: list[Any] = namespace_objects.contents(kubernetes_builders.namespace())
        self.assertEqual({"web"}, {item.metadata.namespace for item in items})

    def test_a_container_without_limits_is_bounded_by_its_machine_alone(self) -> None:
        made: Any = namespace_objects.limit_range(kubernetes_builders.namespace())
        (item,) = made.spec.limits
        self.assertEqual({"ephemeral-storage"}, set(item.default))
        # What the scheduler and quotas count is never nothing.
        self.assertLessEqual({"cpu", "memory"}, set(item.defaultRequest))

    def test_no_quota_leaves_room_for_a_node_port(self) -> None:
        quota: Any = namespace_objects.resource_quota(kubernetes_builders.namespace())
        self.assertEqual("0", quota.spec.hard["services.nodeports"])

    def test_the_operators_options_bound_what_pods_request(self) -> None:
        self.assertEqual(
            {"requests.cpu": "8", "requests.memory": "16Gi"}, namespace_objects.capacity(cpu="8", memory="16Gi")
        )
        self.assertEqual({"requests.memory": "16Gi"}, namespace_objects.capacity(cpu="", memory="16Gi"))


class RolesTest(testtools.TestCase):
    """What no tenant role may hold."""

    FORBIDDEN_RESOURCES = (
        "pods/proxy", "services/proxy", "nodes", "nodes/proxy", "pods/binding", "bindings", "pods/resize",
        "namespaces/finalize", "namespaces/status", "persistentvolumes", "customresourcedefinitions",
    )  # fmt: skip
    FORBIDDEN_VERBS = ("*", "bind", "escalate", "impersonate", "approve", "sign")

    def _rules(self) -> list[tuple[str, Any]]:
        made: list[Any] = roles.cluster_roles()
        return [
            (role.metadata.name, rule) for role in made for rule in role.rules if role.metadata.name != roles.OPERATOR
        ]

    def test_no_role_holds_what_makes_the_apiserver_dial_or_grants_more(self) -> None:
        for name, rule in self._rules():
            self.assertEqual(set(), set(rule.resources) & {*self.FORBIDDEN_RESOURCES, "*"}, name)
            self.assertEqual(set(), set(rule.verbs) & set(self.FORBIDDEN_VERBS), name)
            self.assertNotIn("*", rule.apiGroups)

    def test_no_role_writes_addresses_quotas_or_any_status(self) -> None:
        for name, rule in self._rules():
            if set(rule.verbs) & set(roles.WRITE):
                written = set(rule.resources)
                self.assertEqual(
                    set(), written & {"endpoints", "endpointslices", "resourcequotas", "limitranges"}, name
                )
                self.assertFalse([r for r in written if r.endswith(("/status", "/finalizers"))], name)

    def test_a_reader_sees_no_secret(self) -> None:
        for name, rule in self._rules():
            if name == roles.VIEW:
                self.assertNotIn("secrets", rule.resources)

    def test_the_operator_reads_the_cluster_and_no_secret(self) -> None:
        made: list[Any] = roles.cluster_roles()
        (rules,) = [role.rules for role in made if role.metadata.name == roles.OPERATOR]
        self.assertEqual({roles.READ}, {tuple(rule.verbs) for rule in rules})
        read = {kind for rule in rules for kind in rule.resources}
        self.assertLessEqual({"nodes", "namespaces", "pods", "events"}, read)
        # Nor what a tenant's program wrote, nor what the apiserver would dial.
        self.assertEqual(
            set(), read & {"secrets", "configmaps", "serviceaccounts/token", "pods/log", "nodes/proxy", "*"}
        )
        binding: Any = roles.operator_binding()
        self.assertEqual([names.OPERATOR_GROUP], [subject.name for subject in binding.subjects])

    def test_what_everybody_reads_names_no_tenant(self) -> None:
        read = {r for name, rule in self._rules() if name == roles.CATALOG for r in rule.resources}
        self.assertEqual({"runtimeclasses", "priorityclasses", "storageclasses", "ingressclasses"}, read)

    def test_every_role_of_keystone_leads_to_one_of_ours(self) -> None:
        made: list[Any] = roles.cluster_roles()
        self.assertLessEqual(set(names.CLUSTER_ROLE_OF.values()), {role.metadata.name for role in made})


class ClusterTest(testtools.TestCase):
    """Objects of the whole cluster."""

    def test_no_tenants_class_preempts(self) -> None:
        made: list[Any] = runtime_and_priority.priority_classes()
        self.assertEqual({"Never"}, {one.preemptionPolicy for one in made})
        self.assertEqual(runtime_and_priority.PRIORITIES, tuple(one.metadata.name for one in made))
        self.assertTrue(all(one.value <= 0 for one in made))

    def test_the_overhead_is_what_was_measured(self) -> None:
        made: Any = runtime_and_priority.runtime_class("100Mi", "10m")
        self.assertEqual({"memory": "100Mi", "cpu": "10m"}, made.overhead.podFixed)

    def test_tenants_get_in_last(self) -> None:
        items: list[Any] = install.cluster_objects("96Mi", "50m", "10.96.0.0/12")
        kinds = [type(item).__name__ for item in items]
        self.assertLess(max(i for i, kind in enumerate(kinds) if "Admission" in kind), kinds.index("ClusterRole"))
        self.assertEqual("ClusterRoleBinding", kinds[-1])

    def test_every_object_is_installed_once(self) -> None:
        items: list[Any] = install.cluster_objects("96Mi", "50m", "10.96.0.0/12")
        keys = [(type(item).__name__, item.metadata.name) for item in items]
        self.assertEqual(len(keys), len(set(keys)))
