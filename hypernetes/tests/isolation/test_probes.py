# SPDX-License-Identifier: Apache-2.0
"""Probes reach the pod that they are of, also where another tenant's pod has the same address."""

import json
from typing import Any

from hypernetes.tests.isolation import base

CIDR = "10.79.0.0/24"
ADDRESS = "10.79.0.50"
PORT = 8080
CLOSED = 8081
POD = "one"
FAILURE_SECONDS = 120

SERVE = (
    f"mkdir -p /tmp/www && echo yes > /tmp/www/live && echo yes > /tmp/www/ready && exec httpd -f -p {PORT} -h /tmp/www"
)
"""Serves on the pod's address; a page that is removed fails the probe of its name."""


def _container() -> dict[str, Any]:
    fast = {"periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": 1}
    return {
        "name": "main",
        "image": "busybox",
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", SERVE],
        "ports": [{"name": "web", "containerPort": PORT}],
        "startupProbe": {"tcpSocket": {"port": "web"}, "periodSeconds": 2, "failureThreshold": 60},
        "livenessProbe": {"httpGet": {"path": "/live", "port": "web"}, **fast},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": PORT}, **fast},
    }


class ProbesTest(base.IsolationTest):
    red: base.Namespace
    blue: base.Namespace

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.red = cls.namespace("red", "probes-red", cidr=CIDR)
        cls.blue = cls.namespace("blue", "probes-blue", cidr=CIDR)
        for namespace in (cls.red, cls.blue):
            namespace.wait_active()
            namespace.start_pod(POD, address=ADDRESS, containers=[_container()])
        for namespace in (cls.red, cls.blue):
            namespace.wait_running(POD)

    def _status(self, namespace: base.Namespace) -> Any:
        pod = base.kubectl_json(namespace.who, "-n", namespace.name, "get", "pod", POD)
        return pod["status"]["containerStatuses"][0]

    def _events(self, namespace: base.Namespace, pod: str = POD) -> str:
        events = base.kubectl_json(namespace.who, "-n", namespace.name, "get", "events")["items"]
        return "\n".join(e["message"] for e in events if e["involvedObject"]["name"] == pod)

    def test_a_page_that_fails_one_tenant_s_probe_fails_no_other_s(self) -> None:
        self.assertEqual(ADDRESS, self.red.address(POD))
        self.assertEqual(ADDRESS, self.blue.address(POD))
        self.assertEqual((True, 0), (self._status(self.red)["ready"], self._status(self.red)["restartCount"]))

        self.red.exec(POD, "rm", "/tmp/www/ready")
        base.eventually(lambda: not self._status(self.red)["ready"], "red not ready", timeout=FAILURE_SECONDS)
        self.assertIn("Readiness probe failed: HTTP probe failed with statuscode: 404", self._events(self.red))
        self.assertTrue(self._status(self.blue)["ready"])
        self.red.exec(POD, "sh", "-c", "echo yes > /tmp/www/ready")
        base.eventually(lambda: self._status(self.red)["ready"], "red ready again", timeout=FAILURE_SECONDS)

        self.blue.exec(POD, "rm", "/tmp/www/live")
        base.eventually(lambda: self._status(self.blue)["restartCount"] > 0, "restart of blue", timeout=FAILURE_SECONDS)
        self.assertIn("Liveness probe failed: HTTP probe failed with statuscode: 404", self._events(self.blue))
        self.assertEqual((True, 0), (self._status(self.red)["ready"], self._status(self.red)["restartCount"]))

    def test_the_words_are_the_kubelet_s(self) -> None:
        container = {**_container(), "name": "main"}
        del container["startupProbe"], container["livenessProbe"]
        container["readinessProbe"] = {"tcpSocket": {"port": CLOSED}, "periodSeconds": 2, "timeoutSeconds": 5}
        self.red.start_pod("closed", containers=[container])
        self.addCleanup(self.red.kubectl, "delete", "pod", "closed", "--wait=false")
        words = f":{CLOSED}: connect: connection refused"
        base.eventually(
            lambda: words in self._events(self.red, "closed"), "the failure", timeout=base.POD_START_SECONDS
        )
        self.assertRegex(self._events(self.red, "closed"), rf"Readiness probe failed: dial tcp 10\.79\.0\.\d+{words}")

    def test_the_pod_says_what_its_probes_were(self) -> None:
        pod = base.kubectl_json("red", "-n", self.red.name, "get", "pod", POD)
        self.assertIn(
            "main livenessProbe: http-get http://:web/live",
            pod["metadata"]["annotations"]["hypernetes.openstack.org/probes"].splitlines(),
        )
        self.assertNotIn("httpGet", json.dumps(pod["spec"]))
