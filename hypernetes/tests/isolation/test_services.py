# SPDX-License-Identifier: Apache-2.0
"""A Service answers the pods of its own namespace only, although other tenants' pods have the same addresses."""

import json
import statistics
import time
from typing import Any

from hypernetes.tests.isolation import base

CIDR = "10.78.0.0/24"
SERVER = "10.78.0.50"
CLIENT = "10.78.0.51"
DEMO = "demo"
CHANGE_SECONDS = 30.0
"""A change reaches a pod within a second; a loaded machine takes longer."""
TRIES = 5


def service(name: str, **spec: Any) -> str:
    ports = [{"name": "web", "port": 80, "targetPort": "http"}]
    body = {"selector": {"app": "server"}, "ports": ports, **spec}
    return json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": body})


class ServicesTest(base.IsolationTest):
    red: base.Namespace
    blue: base.Namespace

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.red = cls.namespace("red", "svc-red", cidr=CIDR)
        cls.blue = cls.namespace("blue", "svc-blue", cidr=CIDR)
        for namespace in (cls.red, cls.blue):
            namespace.wait_active()
            cls.create(namespace, service("early"))
            made = base.pod("server", address=SERVER, image="demo", command=[DEMO, "serve"])
            made["metadata"]["labels"] = {"app": "server"}
            made["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": 8080}]
            cls.create(namespace, json.dumps(made))
            namespace.start_pod("client", address=CLIENT, image="demo", command=[DEMO, "serve"])
        for namespace in (cls.red, cls.blue):
            namespace.wait_running("server", "client")

    @classmethod
    def create(cls, namespace: base.Namespace, text: str) -> None:
        done = namespace.kubectl("create", "-f", "-", stdin=text)
        if done.status:
            raise AssertionError(done.text)

    def address_of(self, namespace: base.Namespace, name: str) -> str:
        return str(namespace.get("service", name)["spec"]["clusterIP"])

    def ask(self, namespace: base.Namespace, address: str, pod: str = "client") -> base.Result:
        return namespace.exec(pod, DEMO, "get", f"http://{address}/")

    def boot_id(self, namespace: base.Namespace, pod: str = "server") -> str:
        return str(json.loads(namespace.exec(pod, DEMO, "show").output)["boot_id"])

    def answer(self, namespace: base.Namespace, address: str, pod: str = "client") -> str | None:
        """Return which machine answers, or None."""
        done = self.ask(namespace, address, pod)
        return str(json.loads(done.output)["boot_id"]) if done.status == 0 else None

    def wait_answered(self, namespace: base.Namespace, address: str) -> float:
        """Wait until the namespace's server answers; return how long it took in seconds."""
        started = time.monotonic()
        base.eventually(lambda: self.answer(namespace, address), address, timeout=CHANGE_SECONDS, interval=0.1)
        return time.monotonic() - started

    def test_each_tenants_service_leads_to_its_own_pod_at_the_shared_address(self) -> None:
        self.assertNotEqual(self.boot_id(self.red), self.boot_id(self.blue))
        for namespace in (self.red, self.blue):
            self.assertEqual(SERVER, namespace.address("server"))
            address = self.address_of(namespace, "early")
            self.wait_answered(namespace, address)
            # The server reaches itself by its Service, too.
            for pod in ("client", "server"):
                self.assertEqual(self.boot_id(namespace), self.answer(namespace, address, pod), pod)

    def test_another_tenants_service_is_refused(self) -> None:
        for mine, other in ((self.red, self.blue), (self.blue, self.red)):
            self.wait_answered(mine, self.address_of(mine, "early"))
            done = self.ask(mine, self.address_of(other, "early"))
            self.assertNotEqual(0, done.status, done.output)
            self.assertIn("connection refused", done.text)

    def test_a_change_reaches_running_pods(self) -> None:
        times = []
        for number in range(TRIES):
            name = f"late-{number}"
            self.create(self.red, service(name))
            address = self.address_of(self.red, name)
            times.append(self.wait_answered(self.red, address))
            self.red.kubectl("delete", "service", name)
            base.eventually(
                lambda address=address: "connection refused" in self.ask(self.red, address).text,  # type: ignore[misc]
                f"the refusal of {address}",
                timeout=CHANGE_SECONDS,
            )
        print(f"a new Service answered after {statistics.median(times):.2f} s (median, with kubectl exec)")

    def test_without_endpoints_it_is_refused(self) -> None:
        self.create(self.red, service("nobody", selector={"app": "nobody"}))
        self.addCleanup(self.red.kubectl, "delete", "service", "nobody")
        done = self.ask(self.red, self.address_of(self.red, "nobody"))
        self.assertIn("connection refused", done.text)

    def test_a_service_cannot_lead_to_an_address_of_the_tenants_choice(self) -> None:
        selectorless = json.loads(service("forged"))
        del selectorless["spec"]["selector"]
        self.create(self.red, json.dumps(selectorless))
        self.addCleanup(self.red.kubectl, "delete", "service", "forged")
        forged = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "forged", "labels": {"kubernetes.io/service-name": "forged"}},
            "addressType": "IPv4",
            "ports": [{"name": "web", "port": 8080, "protocol": "TCP"}],
            "endpoints": [{"addresses": ["10.96.0.1"]}],
        }
        done = self.red.kubectl("create", "-f", "-", stdin=json.dumps(forged))
        self.assertNotEqual(0, done.status)
        self.assertIn("endpointslices", done.text)
        self.assertIn("connection refused", self.ask(self.red, self.address_of(self.red, "forged")).text)
