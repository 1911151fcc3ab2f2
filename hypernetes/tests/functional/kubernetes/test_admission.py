# SPDX-License-Identifier: Apache-2.0
"""What a tenant may put into a real apiserver and what is refused, with which words."""

import unittest
from typing import Any
from typing import ClassVar

from lightkube.resources import admissionregistration_v1 as admission
from lightkube.resources import apps_v1 as apps
from lightkube.resources import batch_v1 as batch
from lightkube.resources import core_v1 as core
from lightkube.resources import rbac_authorization_v1 as rbac

from hypernetes.kubernetes import client
from hypernetes.kubernetes import verification
from hypernetes.kubernetes.admission import probes
from hypernetes.kubernetes.admission import rules
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import labels
from hypernetes.model import names
from hypernetes.tests.functional.kubernetes import control_plane
from hypernetes.tests.functional.kubernetes import pod_cases
from hypernetes.tests.functional.kubernetes import probe_cases
from hypernetes.tests.functional.kubernetes import tenant


class AdmissionTest(unittest.TestCase):
    """One control plane for all tests here; every test leaves red's namespace as it was."""

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
        tenant.make_namespace(cls.administrator, "blue-one", tenant.BLUE_PROJECT)
        cls.red = tenant.person(cls.plane, "red-user", tenant.RED_PROJECT)
        cls.manager = tenant.person(cls.plane, "red-manager", tenant.RED_PROJECT, "manager")
        control_plane.wait_for("the policies", lambda: verification.policies_are_in_force(cls.administrator))

    def _create(self, item: Any) -> Any:
        made = self.red.create(item)
        self.addCleanup(self.administrator.delete, type(item), item.metadata.name, "red-one")
        return made

    def _assert_refused(self, rule: str, person: client.ClusterClient, item: Any) -> None:
        with self.assertRaises(errors.Refused) as caught:
            person.create(item)
            self.administrator.delete(type(item), item.metadata.name, "red-one")
        self.assertIn(f"hypernetes/{rule}: ", str(caught.exception))

    def test_the_policies_have_no_type_errors(self) -> None:
        for policy in self.administrator.list(admission.ValidatingAdmissionPolicy):
            with self.subTest(policy.metadata.name):
                checking = policy.status.typeChecking
                self.assertFalse(checking and checking.expressionWarnings, checking)

    def test_a_pod_beyond_the_rules_is_refused_by_the_rule_s_name(self) -> None:
        for rule, cases in pod_cases.REFUSED.items():
            for title, changes in cases:
                with self.subTest(f"{rule}: {title}"):
                    self._assert_refused(rule, self.red, tenant.pod(**changes))

    def test_a_template_beyond_the_rules_is_refused_in_every_kind(self) -> None:
        for rule, cases in pod_cases.REFUSED.items():
            for kind, item in tenant.workloads(**cases[0][1]).items():
                with self.subTest(f"{rule}: {kind}"):
                    self._assert_refused(rule, self.red, item)

    def test_an_ordinary_pod_becomes_a_virtual_machine(self) -> None:
        for title, changes in pod_cases.ALLOWED.items():
            with self.subTest(title):
                made = self._create(tenant.pod(title.replace(" ", "-").replace("'", "").lower(), **changes))
                self.assertEqual(names.RUNTIME_CLASS, made.spec.runtimeClassName)
                self.assertEqual(tenant.OVERHEAD_MEMORY, made.spec.overhead["memory"])

    def test_an_ordinary_template_is_accepted_in_every_kind(self) -> None:
        for kind, item in tenant.workloads("ordinary").items():
            with self.subTest(kind):
                self._create(item)

    def test_a_probe_becomes_an_exec_of_the_reserved_path(self) -> None:
        for title, (handler, command, words) in probe_cases.PROBE_HANDLERS.items():
            for place in probe_cases.PROBES:
                with self.subTest(f"{title}: {place}"):
                    probe = {**handler, "timeoutSeconds": 7, "periodSeconds": 11}
                    name = f"{title}-{place}".replace(" ", "-").lower()
                    made = self._create(tenant.pod(name, container={"ports": probe_cases.PORTS, place: probe}))
                    got = getattr(made.spec.containers[0], place)
                    self.assertEqual([probes.RESERVED_PATH, *command], got.exec.command)
                    self.assertEqual((None, None, None), (got.httpGet, got.tcpSocket, got.grpc))
                    self.assertEqual((7, 11), (got.timeoutSeconds, got.periodSeconds))
                    self.assertEqual(f"main {place}: {words}", made.metadata.annotations[labels.PROBES_ANNOTATION])

    def test_probes_and_hooks_of_all_containers_are_turned(self) -> None:
        made = self._create(tenant.pod("everywhere", **probe_cases.of_all_kinds()))
        for container in (made.spec.containers[0], made.spec.initContainers[1]):
            for place in probe_cases.PROBES:
                self.assertEqual(probes.RESERVED_PATH, getattr(container, place).exec.command[0])
            for hook in (container.lifecycle.postStart, container.lifecycle.preStop):
                self.assertEqual([probes.RESERVED_PATH, *probe_cases.HOOK_COMMAND], hook.exec.command)
        self.assertEqual(10, len(made.metadata.annotations[labels.PROBES_ANNOTATION].splitlines()))

    def test_a_pod_with_probes_is_applied_again_by_its_owner(self) -> None:
        """kubectl apply sends the handlers that it finds missing, beside the exec that it does not know."""
        item = tenant.pod("again", **probe_cases.of_all_kinds())
        item.metadata.annotations = {"mine": "kept"}
        made = self._create(item)
        container = {"name": "main", **{key: tenant.pod_spec(**probe_cases.of_all_kinds())["containers"][0][key]
                                        for key in (*probe_cases.PROBES, "lifecycle")}}  # fmt: skip
        for _ in range(2):
            self.red._client.patch(core.Pod, "again", {"spec": {"containers": [container]}}, namespace="red-one")
        now = self.red.get(core.Pod, "again", "red-one")
        self.assertEqual(made.spec.containers, now.spec.containers)
        words, words_now = (p.metadata.annotations[labels.PROBES_ANNOTATION].splitlines() for p in (made, now))
        self.assertEqual(sorted(words), sorted(words_now))
        self.assertEqual("kept", now.metadata.annotations["mine"])

    def test_a_template_keeps_its_probes_and_its_pods_have_execs(self) -> None:
        made = self._create(tenant.workloads("probed", **probe_cases.of_all_kinds())["Deployment"])
        self.assertEqual(80, made.spec.template.spec.containers[0].livenessProbe.httpGet.port)

        def pods() -> list[Any]:
            return [p for p in self.red.list(core.Pod, "red-one") if p.metadata.name.startswith("probed-")]

        control_plane.wait_for("the deployment's pod", lambda: bool(pods()))
        self.assertEqual(probes.RESERVED_PATH, pods()[0].spec.containers[0].livenessProbe.exec.command[0])

    def test_a_probe_with_two_handlers_is_refused(self) -> None:
        """As Kubernetes does: none of the two is dropped silently."""
        http = {"httpGet": {"port": 80}}
        for title, probe in {
            "an exec": {**http, "exec": {"command": ["true"]}},
            "TCP": {**http, "tcpSocket": {"port": 80}},
        }.items():
            with self.subTest(title), self.assertRaises(errors.Refused):
                self.red.create(tenant.pod("twofold", container={"livenessProbe": probe}))
                self.administrator.delete(core.Pod, "twofold", "red-one")

    def test_a_mirror_pod_is_refused(self) -> None:
        item = tenant.pod("mirror", nodeName="node1")
        item.metadata.annotations = {"kubernetes.io/config.mirror": "x"}
        self._assert_refused("node-name", self.red, item)

    def test_the_controllers_own_work_goes_on(self) -> None:
        """Deployment → ReplicaSet → pod; the scheduler binds it; the kubelet reports; the pod goes."""
        node = core.Node.from_dict({"metadata": {"name": "node1"}})
        self.administrator.create(node)
        self.addCleanup(self.administrator.delete, core.Node, "node1")
        allocatable = {"cpu": "8", "memory": "8Gi", "pods": "110", "ephemeral-storage": "100Gi"}
        kubelet = self.plane.connect("system:node:node1", "system:nodes")
        status = {
            "capacity": allocatable,
            "allocatable": allocatable,
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        patched = core.NodeStatus.from_dict({"metadata": {"name": "node1"}, "status": status})
        self._apply_status(kubelet, patched)
        self.administrator.apply(core.Node.from_dict({"metadata": {"name": "node1"}, "spec": {"taints": []}}))
        made: dict[str, Any] = tenant.workloads("working")
        for kind in ("Deployment", "DaemonSet", "Job"):
            self._create(made[kind])
        owners = {"ReplicaSet", "DaemonSet", "Job"}

        def bound() -> dict[str, Any]:
            pods = self.red.list(core.Pod, "red-one")
            return {
                p.metadata.ownerReferences[0].kind: p for p in pods if p.spec.nodeName and p.metadata.ownerReferences
            }

        control_plane.wait_for("binding of every controller's pod", lambda: owners <= set(bound()), 60)
        for pod in bound().values():
            self.assertEqual(names.RUNTIME_CLASS, pod.spec.runtimeClassName)
        # Only the DaemonSet controller's pods tolerate a cordoned node, and they can still be changed.
        tolerant = {
            kind for kind, pod in bound().items() if rules.CORDONED in {t.key for t in pod.spec.tolerations or ()}
        }
        self.assertEqual({"DaemonSet"}, tolerant)
        image = {"spec": {"containers": [{"name": "main", "image": "registry.example/other:2"}]}}
        self.red._client.patch(core.Pod, bound()["DaemonSet"].metadata.name, image, namespace="red-one")
        job = bound()["Job"]
        self._apply_status(
            kubelet,
            core.PodStatus.from_dict(
                {"metadata": {"name": job.metadata.name, "namespace": "red-one"}, "status": {"phase": "Succeeded"}}
            ),
        )
        # The job controller takes its finalizer off the pod, which is an update of the pod itself.
        control_plane.wait_for(
            "completion of the job",
            lambda: (self.red.get(batch.Job, "working", "red-one").status.succeeded or 0) == 1,
            60,
        )

    def _apply_status(self, kubelet: client.ClusterClient, item: Any) -> None:
        kubelet._client.patch(  # the product's client has no need to write a status
            type(item), item.metadata.name, {"status": item.to_dict()["status"]}, namespace=item.metadata.namespace
        )

    def test_a_service_opens_no_port_on_nodes(self) -> None:
        ports = [{"port": 80}]
        refused: tuple[tuple[str, dict[str, Any]], ...] = (
            ("node-ports", {"type": "NodePort", "ports": ports}),
            ("node-ports", {"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 30080}]}),
            ("external-ips", {"externalIPs": ["192.0.2.1"], "ports": ports}),
            # kubelet's clusterDNS, whether or not a Service has it.
            ("service-addresses", {"clusterIP": "10.96.0.10", "ports": ports}),
            ("service-addresses", {"clusterIP": "10.96.0.15", "clusterIPs": ["10.96.0.15"], "ports": ports}),
        )
        for rule, spec in refused:
            with self.subTest(rule):
                self._assert_refused(rule, self.red, tenant.manifest("Service", "v1", "web", spec=spec))
        made = self._create(tenant.manifest("Service", "v1", "lb", spec={"type": "LoadBalancer", "ports": ports}))
        self.assertIs(False, made.spec.allocateLoadBalancerNodePorts)
        self.assertFalse(made.spec.ports[0].nodePort)
        plain = self._create(tenant.manifest("Service", "v1", "plain", spec={"ports": ports}))
        self.assertEqual("ClusterIP", plain.spec.type)
        self._create(tenant.manifest("Service", "v1", "headless", spec={"clusterIP": "None", "ports": ports}))
        self._create(tenant.manifest("Service", "v1", "chosen", spec={"clusterIP": "10.96.200.7", "ports": ports}))
        # kubectl apply --dry-run=server and kubectl diff: the apiserver invents an address.
        for spec in ({"ports": ports}, {"ports": ports, "type": "LoadBalancer"}, {"clusterIP": "None", "ports": ports}):
            self.assertIsNone(self.red.dry_run_create(tenant.manifest("Service", "v1", "dry", spec=spec)))
        self._assert_refused_by_kubernetes("10.96.0.0")
        # The address of a Service is in every change of it.
        self.red._client.patch(core.Service, "plain", {"metadata": {"labels": {"a": "b"}}}, namespace="red-one")

    def _assert_refused_by_kubernetes(self, address: str) -> None:
        item = tenant.manifest("Service", "v1", "own", spec={"clusterIP": address, "ports": [{"port": 80}]})
        with self.assertRaisesRegex(errors.Refused, "does not match the current range"):
            self.red.create(item)

    def test_a_token_that_never_expires_is_refused(self) -> None:
        secret = tenant.manifest("Secret", "v1", "token", type="kubernetes.io/service-account-token")
        secret.metadata.annotations = {"kubernetes.io/service-account.name": "default"}
        self._assert_refused("long-lived-tokens", self.red, secret)
        self._create(tenant.manifest("Secret", "v1", "ordinary", stringData={"a": "b"}))

    def test_a_network_policy_is_refused_until_it_is_enforced(self) -> None:
        item = tenant.manifest("NetworkPolicy", "networking.k8s.io/v1", "deny", spec={"podSelector": {}})
        self._assert_refused("network-policies", self.red, item)

    def test_a_tenant_labels_its_namespace_but_not_with_our_labels(self) -> None:
        mine = core.Namespace.from_dict({"metadata": {"name": "red-one", "labels": {"team": "a"}}})
        self.red.apply(mine)
        for changed in ({labels.PROJECT: tenant.BLUE_PROJECT}, {labels.PREFIX + "new": "x"}):
            with self.subTest(str(changed)), self.assertRaises(errors.Refused) as caught:
                self.red.apply(core.Namespace.from_dict({"metadata": {"name": "red-one", "labels": changed}}))
            self.assertIn("hypernetes/namespace-labels: ", str(caught.exception))
        gone = {"metadata": {"labels": {labels.PROJECT: None}}}
        with self.assertRaisesRegex(Exception, "hypernetes/namespace-labels: "):
            self.red._client.patch(core.Namespace, "red-one", gone)
        with self.assertRaisesRegex(Exception, "hypernetes/namespace-finalizers: "):
            self.red._client.patch(core.Namespace, "red-one", {"metadata": {"finalizers": ["a.example/b"]}})

    def test_a_manager_cannot_touch_what_keystone_decides(self) -> None:
        with self.assertRaisesRegex(Exception, "hypernetes/managed-role-bindings: "):
            self.manager._client.delete(rbac.RoleBinding, f"{labels.ROLE_BINDING_PREFIX}member", namespace="red-one")
        own = rbac.RoleBinding.from_dict(
            {
                "metadata": {"name": "mine", "namespace": "red-one"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "hypernetes:view"},
                "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "red-one"}],
            }
        )
        self.manager.create(own)
        self.administrator.delete(rbac.RoleBinding, "mine", "red-one")

    def test_a_manager_cannot_touch_them_where_the_request_names_none_either(self) -> None:
        managed = [b.metadata.name for b in self.administrator.list(rbac.RoleBinding, "red-one") if b.metadata]
        self.assertIn(f"{labels.ROLE_BINDING_PREFIX}member", managed)
        with self.assertRaisesRegex(Exception, "hypernetes/managed-role-bindings: "):
            self.manager._client.deletecollection(rbac.RoleBinding, namespace="red-one")
        left = [b.metadata.name for b in self.administrator.list(rbac.RoleBinding, "red-one") if b.metadata]
        self.assertEqual(managed, left)
        rest = {
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "hypernetes:view"},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "red-one"}],
        }
        ours = {"metadata": {"generateName": labels.ROLE_BINDING_PREFIX, "namespace": "red-one"}, **rest}
        with self.assertRaisesRegex(Exception, "hypernetes/managed-role-bindings: "):
            self.manager._client.create(rbac.RoleBinding.from_dict(ours))
        own = {"metadata": {"generateName": "mine-", "namespace": "red-one"}, **rest}
        made = self.manager._client.create(rbac.RoleBinding.from_dict(own))
        self.administrator.delete(rbac.RoleBinding, made.metadata.name, "red-one")

    def test_a_running_pod_cannot_be_resized_or_bound_even_by_an_operator_s_mistake(self) -> None:
        """The roles give neither; should an operator grant them, the policies still refuse."""
        self._create(tenant.pod("small"))
        role = {
            "metadata": {"name": "too-much", "namespace": "red-one"},
            "rules": [
                {"apiGroups": [""], "resources": ["pods/resize", "pods/binding", "bindings"], "verbs": ["*"]},
                {"apiGroups": [""], "resources": ["resourcequotas"], "verbs": ["*"]},
            ],
        }
        self.administrator.create(rbac.Role.from_dict(role))
        self.addCleanup(self.administrator.delete, rbac.Role, "too-much", "red-one")
        binding = {
            "metadata": {"name": "too-much", "namespace": "red-one"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "too-much"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "keystone:red-user"}],
        }
        self.administrator.create(rbac.RoleBinding.from_dict(binding))
        self.addCleanup(self.administrator.delete, rbac.RoleBinding, "too-much", "red-one")
        container = {"name": "main", "resources": {"limits": {"cpu": "2"}}}

        def refused_with(rule: str) -> bool:
            try:
                self.red._client.patch(
                    core.PodResize, "small", {"spec": {"containers": [container]}}, namespace="red-one"
                )
            except Exception as error:
                return rule in str(error)
            return False

        control_plane.wait_for("refusal of the resize", lambda: refused_with("hypernetes/resize: "))
        target = core.Binding.from_dict(
            {"metadata": {"name": "small", "namespace": "red-one"}, "target": {"kind": "Node", "name": "node9"}}
        )
        with self.assertRaisesRegex(errors.Refused, "hypernetes/binding: "):
            self.red.create(target)
        with self.assertRaisesRegex(errors.Refused, "hypernetes/quotas: "):
            self.red.apply(
                core.ResourceQuota.from_dict(
                    {"metadata": {"name": "hypernetes", "namespace": "red-one"}, "spec": {"hard": {"pods": "9999"}}}
                )
            )

    def test_an_ephemeral_container_obeys_the_same_rules(self) -> None:
        self._create(tenant.pod("debugged"))
        for title, extra, rule in (
            ("privileged", {"securityContext": {"privileged": True}}, "privileged"),
            ("by-address", {"image": "127.0.0.1:11211/i"}, "image-registries"),
            ("plain", {}, ""),
        ):
            with self.subTest(title):
                change = {"spec": {"ephemeralContainers": [{"name": title, "image": "i", **extra}]}}
                call = (core.PodEphemeralcontainers, "debugged", change)
                if rule:
                    with self.assertRaisesRegex(Exception, f"hypernetes/{rule}: "):
                        self.red._client.patch(*call, namespace="red-one")
                else:
                    self.red._client.patch(*call, namespace="red-one")

    def test_system_namespaces_are_left_alone(self) -> None:
        item = tenant.pod("system", hostNetwork=True)
        item.metadata.namespace = "kube-system"
        control_plane.wait_for(
            "the default service account",
            lambda: self.administrator.find(core.ServiceAccount, "default", "kube-system") is not None,
        )
        self.administrator.create(item)
        made = self.administrator.get(core.Pod, "system", "kube-system")
        self.assertIsNone(made.spec.runtimeClassName)
        self.administrator.delete(core.Pod, "system", "kube-system")

    def test_the_default_namespace_is_no_way_round(self) -> None:
        item = tenant.pod("anywhere", hostNetwork=True)
        item.metadata.namespace = "default"
        with self.assertRaisesRegex(errors.Refused, "hypernetes/host-namespaces: "):
            self.administrator.create(item)

    def test_a_deployment_is_scaled_after_its_creation(self) -> None:
        self._create(tenant.workloads("scaled")["Deployment"])
        self.red._client.patch(apps.Deployment, "scaled", {"spec": {"replicas": 3}}, namespace="red-one")
        control_plane.wait_for(
            "three pods",
            lambda: len([p for p in self.red.list(core.Pod, "red-one") if p.metadata.name.startswith("scaled-")]) == 3,
        )

    def test_the_conductor_deletes_its_own_namespace_and_no_other_of_the_name(self) -> None:
        tenant.make_namespace(self.administrator, "red-two", tenant.RED_PROJECT)
        uid = self.administrator.get(core.Namespace, "red-two").metadata.uid
        another = ids.new_uuid()
        self.assertFalse(self.administrator.delete(core.Namespace, "red-two", uid=another))
        self.assertTrue(self.administrator.delete(core.Namespace, "red-two", uid=uid))
        control_plane.wait_for(
            "the namespace's end", lambda: self.administrator.find(core.Namespace, "red-two") is None, 60
        )
        self.assertFalse(self.administrator.delete(core.Namespace, "red-two", uid=uid))
