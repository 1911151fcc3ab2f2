# SPDX-License-Identifier: Apache-2.0
"""Pods of several images and of images of many layers start, and see what is theirs."""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from hypernetes.tests.isolation import base
from hypernetes.tests.isolation import layered

FEW, SEVERAL, MANY = 2, 12, 50
"""Numbers of layers: as busybox, more than virtio-scsi has event buffers, and more than most images have."""

CONFIGURATION = "/etc/containerd/config.toml"
"""What the node's containerd is started with, and no other."""


@contextmanager
def containerd_mounts() -> Iterator[set[str]]:
    """Collect what containerd mounts of images for a while, besides what the system's pods, which run already, have."""
    (containerd,) = [p for p in base.processes() if base.command_line(p)[1:] == ["--config", CONFIGURATION]]
    seen: set[str] = set()
    stop = threading.Event()

    def mounted() -> set[str]:
        table = (containerd / "mountinfo").read_text()
        return {line for line in table.splitlines() if re.search(r"ctd-volume| - erofs ", line)}

    before = mounted()

    def watch() -> None:
        while not stop.is_set():
            seen.update(mounted() - before)
            time.sleep(0.002)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def _container(name: str, image: str, *command: str) -> dict[str, object]:
    return {
        "name": name,
        "image": image,
        "command": list(command) or ["sleep", "1000000"],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
    }


class ImagesTest(base.IsolationTest):
    red: base.Namespace

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        layered.provide(base.LAYOUT, (SEVERAL, MANY))
        layered.provide_volume(base.LAYOUT)
        layered.provide_ready_made(base.LAYOUT)
        cls.red = cls.namespace("red", "images").wait_active()

    def _start(self, name: str, containers: list[dict[str, object]], **spec: object) -> None:
        manifest = base.pod(name)
        manifest["spec"] |= {"containers": containers, **spec}
        created = self.red.kubectl("create", "-f", "-", stdin=json.dumps(manifest))
        self.assertEqual(0, created.status, created.text)
        self.addCleanup(self.red.kubectl, "delete", "pod", name, "--wait=false")
        self.red.wait_running(name)

    def _marks(self, pod: str, container: str) -> list[str]:
        script = f"cd /{layered.MARKS} && cat $(ls | sort -n)"
        listed = self.red.kubectl("exec", pod, "-c", container, "--", "sh", "-c", script)
        return listed.output.splitlines()

    def test_a_pod_of_four_images_after_an_init_container_of_a_fifth(self) -> None:
        # The init container's disks are unplugged, and those of the next images get their names in the guest.
        self._start(
            "mixed",
            [
                _container("few", "busybox"),
                _container("several", layered.name(SEVERAL)),
                _container("many", layered.name(MANY)),
                _container("demo", "demo", "demo", "serve", "-listen", ":8081"),
            ],
            initContainers=[_container("first", layered.name(SEVERAL), "true")],
        )
        self.assertEqual([], self._marks("mixed", "few"))
        for container, count in (("several", SEVERAL), ("many", MANY)):
            expected = [f"{number} of {count}" for number in range(FEW, count)]
            self.assertEqual(expected, self._marks("mixed", container))

    def test_images_of_2_12_and_50_layers(self) -> None:
        for count, image in ((FEW, "busybox"), (SEVERAL, layered.name(SEVERAL)), (MANY, layered.name(MANY))):
            with self.subTest(layers=count):
                name = f"layers-{count}"
                self._start(name, [_container("main", image)])
                expected = [f"{number} of {count}" for number in range(FEW, count)]
                self.assertEqual(expected, self._marks(name, "main"))

    def test_an_images_volume_is_in_the_machine_and_gone_with_the_container(self) -> None:
        script = f"ls /{layered.VOLUME}; touch /{layered.VOLUME}/mark; until [ -e /tmp/stop ]; do sleep 1; done"
        with containerd_mounts() as mounted:
            self._start("volume", [_container("main", layered.VOLUME_IMAGE, "sh", "-c", script)])
            self.assertEqual("mark\nseed\n", self.red.exec("volume", "ls", f"/{layered.VOLUME}").output)
            self.red.exec("volume", "touch", "/tmp/stop")

            def restarted() -> bool:
                pod = base.kubectl_json("red", "-n", self.red.name, "get", "pod", "volume")
                (status,) = pod["status"]["containerStatuses"]
                return bool(status["restartCount"] and status["ready"])

            base.eventually(restarted, "a second container", timeout=base.POD_START_SECONDS)
        self.assertEqual("seed\n", self.red.kubectl("logs", "volume").output)
        # containerd reads the user's groups from the layers, and nothing else; see doc/source/admin/images.rst.
        self.assertEqual([], [line for line in mounted if " - erofs " not in line or " ro," not in line])

    def test_a_ready_made_erofs_layer_is_refused(self) -> None:
        manifest = base.pod("ready-made", image=layered.READY_MADE_IMAGE)
        created = self.red.kubectl("create", "-f", "-", stdin=json.dumps(manifest))
        self.assertEqual(0, created.status, created.text)
        self.addCleanup(self.red.kubectl, "delete", "pod", "ready-made", "--wait=false")

        def failure() -> str:
            events = base.kubectl_json("red", "-n", self.red.name, "get", "events")["items"]
            messages = [e["message"] for e in events if e["involvedObject"]["name"] == "ready-made"]
            return next((m for m in messages if "Failed to pull image" in m), "")

        message = base.eventually(failure, "a refusal", timeout=base.POD_START_SECONDS)
        self.assertIn("application/vnd.erofs.layer.v1", message)
