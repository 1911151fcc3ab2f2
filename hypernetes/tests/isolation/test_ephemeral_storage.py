# SPDX-License-Identifier: Apache-2.0
"""The kubelet sees what pods write, and evicts those that exceed a limit."""

import json
from typing import Any

from hypernetes.tests.isolation import base

EVICTED_SECONDS = 300
"""The kubelet looks every 10 s, at writable layers that containerd measures every 10 s, and measures emptyDirs each
minute; a clone's first write may wait for a busy machine."""

WRITE = "dd if=/dev/zero of={path} bs=1M count=80 conv=fsync; sleep 1000000"
"""It fails where the disk ends, which is a little beyond the pod's limit."""


def container(name: str, limit: str, command: str, **more: Any) -> dict[str, Any]:
    """Return a small container that may keep so much."""
    return {
        "name": name,
        "image": "busybox",
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", command],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"ephemeral-storage": limit}},
        **more,
    }


class EphemeralStorageTest(base.IsolationTest):
    red: base.Namespace

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.red = cls.namespace("red", "ephemeral").wait_active()
        cls.red.start_pod("neighbor", containers=[container("main", "30Mi", "sleep 1000000")])
        cls.red.start_pod("layer", containers=[container("main", "30Mi", WRITE.format(path="/big"))])
        cls.red.start_pod(
            "container",
            containers=[
                container("greedy", "30Mi", WRITE.format(path="/big")),
                container("modest", "200Mi", "sleep 1000000"),
            ],
        )
        mount = {"name": "cache", "mountPath": "/cache"}
        cls.red.start_pod(
            "empty",
            containers=[container("main", "200Mi", WRITE.format(path="/cache/big"), volumeMounts=[mount])],
            volumes=[{"name": "cache", "emptyDir": {"sizeLimit": "20Mi"}}],
        )
        cls.red.wait_running("neighbor")

    @classmethod
    def status(cls, name: str) -> Any:
        return base.kubectl_json("red", "-n", cls.red.name, "get", "pod", name)["status"]

    def assert_evicted(self, name: str, message: str) -> None:
        def evicted() -> Any:
            status = self.status(name)
            return status if status["phase"] == "Failed" else None

        status = base.eventually(evicted, f"pod {name} is evicted", timeout=EVICTED_SECONDS, interval=2)
        self.assertEqual("Evicted", status.get("reason"), json.dumps(status))
        self.assertIn(message, status["message"])
        neighbor = self.status("neighbor")
        self.assertEqual("Running", neighbor["phase"])
        self.assertEqual(0, neighbor["containerStatuses"][0]["restartCount"])
        self.assertEqual("alive", self.red.exec("neighbor", "echo", "alive").output.strip())

    def test_a_pod_beyond_its_limit_is_evicted(self) -> None:
        self.assert_evicted("layer", "Pod ephemeral local storage usage exceeds the total limit of containers 30Mi")

    def test_a_container_beyond_its_limit_has_its_pod_evicted(self) -> None:
        self.assert_evicted("container", "Container greedy exceeded its local ephemeral storage limit")

    def test_an_empty_dir_beyond_its_limit_has_its_pod_evicted(self) -> None:
        self.assert_evicted("empty", 'Usage of EmptyDir volume "cache" exceeds the limit "20Mi"')
