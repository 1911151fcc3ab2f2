# SPDX-License-Identifier: Apache-2.0
"""What a tenant may not ask of the cluster, each refusal with the rule's name; and what it may."""

import json
from typing import Any

from hypernetes.tests.isolation import base

RULE = r"hypernetes/[a-z-]+|hypernetes-[a-z-]+"
"""Every refusal by Hypernetes' policies names its rule in this form."""


def template(spec: dict[str, Any]) -> dict[str, Any]:
    """A Deployment around a pod's specification."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": spec},
        },
    }


def with_volume(volume: dict[str, Any]) -> dict[str, Any]:
    """A pod with one volume."""
    made = base.pod("bad")
    made["spec"]["volumes"] = [{"name": "v", **volume}]
    return made


def with_container(**fields: Any) -> dict[str, Any]:
    """A pod whose container says more."""
    made = base.pod("bad")
    made["spec"]["containers"][0].update(fields)
    return made


class AdmissionTest(base.IsolationTest):
    red: base.Namespace

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.red = cls.namespace("red", "rules").wait_active()

    def refuse(self, manifest: dict[str, Any]) -> None:
        done = self.red.kubectl("create", "-f", "-", stdin=json.dumps(manifest))
        self.assertNotEqual(0, done.status, f"admitted: {json.dumps(manifest)}")
        self.assertRegex(done.text, RULE)

    def test_another_runtime_class_is_refused(self) -> None:
        self.refuse(base.pod("bad", runtimeClassName="runc"))

    def test_a_runtime_class_that_does_not_exist_is_refused(self) -> None:
        """By Kubernetes' own plug-in, which comes before our rules."""
        done = self.red.kubectl("create", "-f", "-", stdin=json.dumps(base.pod("bad", runtimeClassName="kata")))
        self.assertNotEqual(0, done.status)
        self.assertIn('RuntimeClass "kata" not found', done.text)

    def test_the_hosts_namespaces_are_refused(self) -> None:
        for field in ("hostNetwork", "hostPID", "hostIPC"):
            with self.subTest(field=field):
                made = base.pod("bad")
                made["spec"][field] = True
                self.refuse(made)

    def test_a_host_path_is_refused(self) -> None:
        self.refuse(with_volume({"hostPath": {"path": "/"}}))

    def test_a_volume_the_kubelet_would_mount_on_the_host_is_refused(self) -> None:
        for volume in (
            {"nfs": {"server": "198.51.100.1", "path": "/"}},
            {"iscsi": {"targetPortal": "198.51.100.1", "iqn": "iqn.2001-04.com.example:a", "lun": 0}},
            {"csi": {"driver": "inline.example"}},
            {"image": {"reference": "busybox"}},
        ):
            with self.subTest(volume=volume):
                self.refuse(with_volume(volume))

    def test_a_host_port_is_refused(self) -> None:
        self.refuse(with_container(ports=[{"containerPort": 80, "hostPort": 80}]))

    def test_the_kubelet_gets_no_probe_that_it_would_dial(self) -> None:
        handlers = {"httpGet": {"port": 8080}, "tcpSocket": {"port": 8080}, "grpc": {"port": 8080}}
        for name, handler in handlers.items():
            with self.subTest(name):
                manifest = json.dumps(with_container(livenessProbe={name: handler}))
                done = self.red.kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", stdin=manifest)
                self.assertEqual(0, done.status, done.text)
                probe = json.loads(done.output)["spec"]["containers"][0]["livenessProbe"]
                self.assertEqual({"exec"}, probe.keys() & {"exec", *handlers})
        self.refuse(with_container(lifecycle={"preStop": {"tcpSocket": {"port": 8080}}}))

    def test_a_node_port_service_is_refused(self) -> None:
        self.refuse(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "bad"},
                "spec": {"type": "NodePort", "ports": [{"port": 80}], "selector": {"app": "web"}},
            }
        )

    def test_a_systems_priority_class_is_refused(self) -> None:
        done = self.red.kubectl(
            "create", "-f", "-", stdin=json.dumps(base.pod("bad", priorityClassName="system-node-critical"))
        )
        self.assertNotEqual(0, done.status)
        self.assertRegex(done.text, RULE)

    def test_choosing_the_node_is_refused_in_a_pod_and_in_a_template(self) -> None:
        self.refuse(base.pod("bad", nodeName=base.NODE))
        self.refuse(template(base.pod("x", nodeName=base.NODE)["spec"]))

    def test_what_a_pod_may_not_a_template_may_not(self) -> None:
        for spec in (
            base.pod("x", hostNetwork=True)["spec"],
            base.pod("x", runtimeClassName="runc")["spec"],
            with_volume({"hostPath": {"path": "/"}})["spec"],
            with_container(ports=[{"containerPort": 80, "hostPort": 80}])["spec"],
        ):
            with self.subTest(spec=spec):
                self.refuse(template(spec))

    def test_the_projects_label_cannot_be_changed(self) -> None:
        label = "hypernetes.openstack.org/project-id"
        for change in (f"{label}=other", f"{label}-"):
            with self.subTest(change=change):
                done = self.red.kubectl("label", "namespace", self.red.name, "--overwrite", change)
                self.assertNotEqual(0, done.status)
                self.assertRegex(done.text, RULE)
        # The positive control: a label of the tenant's own is the tenant's.
        self.assertEqual(0, self.red.kubectl("label", "namespace", self.red.name, "team=mine").status)

    def test_a_reserved_namespace_is_refused(self) -> None:
        for name in ("kube-foo", "kube-system", "default"):
            with self.subTest(name=name):
                answer = base.rest("red", "POST", "/v1/namespaces", {"name": name, "cluster": base.CLUSTER})
                self.assertEqual(400, answer.status_code, answer.text)
                self.assertIn("reserved", answer.text)
        done = base.kubectl("red", "create", "namespace", "mine")
        self.assertRegex(done.text, r"[Ff]orbidden")

    def test_quotas_and_limits_cannot_be_changed(self) -> None:
        for kind in ("resourcequota", "limitrange"):
            with self.subTest(kind=kind):
                done = self.red.kubectl("delete", kind, "--all")
                self.assertRegex(done.text, r"[Ff]orbidden")

    def test_an_ordinary_deployment_runs(self) -> None:
        """The positive control of the class."""
        done = self.red.kubectl("create", "deployment", "ordinary", "--image=busybox", "--", "sleep", "1000000")
        self.assertEqual(0, done.status, done.text)
        rollout = self.red.kubectl("rollout", "status", "deployment/ordinary", f"--timeout={base.POD_START_SECONDS}s")
        self.assertEqual(0, rollout.status, rollout.text)
        pods = base.kubectl_json("red", "-n", self.red.name, "get", "pods", "-l", "app=ordinary")["items"]
        self.assertEqual(["hyper"], [p["spec"]["runtimeClassName"] for p in pods])
