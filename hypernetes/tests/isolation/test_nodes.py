# SPDX-License-Identifier: Apache-2.0
"""A cluster of two nodes: tenants' networks reach from one to the other, nothing crosses, and a worker leaves cleanly.

Skipped on a stack of one node, as ``tools/quickstart up`` brings it up; ``tools/quickstart up --nodes 2`` has two.
"""

import json
import unittest
from typing import Any

from hypernetes.standalone.components import worker
from hypernetes.tests.isolation import base

CIDR = "10.78.0.0/24"
ONE = "10.78.0.50"
TWO = "10.78.0.51"
ONLY_BLUE = "10.78.0.52"
DEMO = "demo"
WORKER = worker.WORKERS[0]
MOVE_SECONDS = 180


def record(name: str) -> Any:
    """What the API says of a node; None if there is none."""
    found = base.rest("admin", "GET", f"/v1/nodes?name={name}").json()["nodes"]
    return found[0] if found else None


class NodesTest(base.IsolationTest):
    red: base.Namespace
    blue: base.Namespace

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        found = record(WORKER)
        if found is None or found["membership"] != "MEMBER":
            raise unittest.SkipTest(f"the stack has no worker {WORKER}: tools/quickstart up --nodes 2")
        cls.red = cls.namespace("red", "nodes-red", cidr=CIDR)
        cls.blue = cls.namespace("blue", "nodes-blue", cidr=CIDR)
        for namespace in (cls.red, cls.blue):
            namespace.wait_active()
            cls.start(namespace, "one", ONE, base.NODE)
            cls.start(namespace, "two", TWO, WORKER)
        cls.start(cls.blue, "three", ONLY_BLUE, WORKER)
        cls.red.wait_running("one", "two")
        cls.blue.wait_running("one", "two", "three")

    @classmethod
    def start(cls, namespace: base.Namespace, name: str, address: str, node: str) -> None:
        selector = {"kubernetes.io/hostname": node}
        namespace.start_pod(name, address=address, image="demo", command=[DEMO, "serve"], nodeSelector=selector)

    def boot_id(self, namespace: base.Namespace, pod: str) -> str:
        return str(json.loads(namespace.exec(pod, DEMO, "show").output)["boot_id"])

    def fetch(self, namespace: base.Namespace, pod: str, address: str) -> base.Result:
        return namespace.exec(pod, DEMO, "get", "--timeout", "5s", f"http://{address}:8080/")

    def node_of(self, namespace: base.Namespace, pod: str) -> str:
        shown = base.kubectl_json("admin", "-n", namespace.name, "get", "pod", pod)
        return str(shown["spec"]["nodeName"])

    def test_each_tenant_reaches_its_own_pod_on_the_other_node_at_the_shared_address(self) -> None:
        for namespace in (self.red, self.blue):
            with self.subTest(tenant=namespace.who):
                nodes = [self.node_of(namespace, pod) for pod in ("one", "two")]
                self.assertEqual([base.NODE, WORKER], nodes)
                for asker, asked, address in (("one", "two", TWO), ("two", "one", ONE)):
                    answer = self.fetch(namespace, asker, address)
                    self.assertEqual(0, answer.status, answer.text)
                    self.assertEqual(self.boot_id(namespace, asked), json.loads(answer.output)["boot_id"])

    def test_a_pod_only_blue_has_on_the_other_node_is_not_reached_by_red(self) -> None:
        self.assertEqual(0, self.fetch(self.blue, "one", ONLY_BLUE).status)
        self.assertNotEqual(0, self.fetch(self.red, "one", ONLY_BLUE).status)

    def test_logs_come_from_both_nodes(self) -> None:
        for pod in ("one", "two"):
            done = self.red.kubectl("logs", pod)
            self.assertEqual(0, done.status, done.text)

    def test_z_a_worker_is_drained_reset_and_added_again(self) -> None:
        """Last of the class: its pods are evicted."""
        cluster = base.rest("admin", "GET", f"/v1/clusters?name={base.CLUSTER}").json()["clusters"][0]["id"]
        node = record(WORKER)["id"]
        path = f"/v1/clusters/{cluster}/nodes"
        self.assertEqual(202, base.rest("admin", "DELETE", f"{path}/{node}").status_code)
        try:
            base.eventually(
                lambda: record(WORKER)["cluster_id"] is None,
                f"{WORKER} has left: {record(WORKER)}",
                timeout=MOVE_SECONDS,
            )
            self.assertNotEqual(0, base.kubectl("admin", "get", "node", WORKER).status)
            self.assertNotEqual(0, self.red.kubectl("get", "pod", "two").status)
            self.assertEqual(0, self.red.kubectl("get", "pod", "one").status)
            left = list(base.cloud("admin").network.ports(device_owner="compute:hypernetes"))
            self.assertEqual([], [port.id for port in left if port.binding_host_id == WORKER])
        finally:
            self.assertEqual(202, base.rest("admin", "POST", path, {"node": WORKER}).status_code)
            base.eventually(
                lambda: record(WORKER)["membership"] == "MEMBER", f"{WORKER} is a member again", timeout=MOVE_SECONDS
            )
        self.start(self.red, "again", "10.78.0.60", WORKER)
        self.red.wait_running("again")
        self.assertEqual(0, self.fetch(self.red, "one", "10.78.0.60").status)
