# SPDX-License-Identifier: Apache-2.0
"""ConfigMaps and Secrets that change reach the pods that have them mounted, all keys at once."""

import json
from typing import Any

from hypernetes.tests.isolation import base

UPDATE_SECONDS = 180
"""The kubelet notices within a minute or so, and the copy in the guest follows within 10 s."""

WATCH = (
    "while :; do set -- $(cd /config/..data && cat a b 2>/dev/null); "
    '[ -z "$2" ] || [ "$1" = "$2" ] || echo torn "$@"; sleep 0.02; done'
)
"""Says when two keys in one directory are of different versions; the second is gone when the directory was replaced."""


def _object(kind: str, value: str) -> str:
    data = "stringData" if kind == "Secret" else "data"
    return json.dumps(
        {"apiVersion": "v1", "kind": kind, "metadata": {"name": "live"}, data: {"a": f"{value} ", "b": value}}
    )


class FilesTest(base.IsolationTest):
    red: base.Namespace

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.red = cls.namespace("red", "files-red").wait_active()

    def test_a_change_arrives_without_a_restart(self) -> None:
        for kind in ("ConfigMap", "Secret"):
            self.assertEqual(0, self.red.kubectl("create", "-f", "-", stdin=_object(kind, "one")).status)
        volumes: list[dict[str, Any]] = [
            {"name": "config", "configMap": {"name": "live"}},
            {"name": "secret", "secret": {"secretName": "live", "defaultMode": 0o440}},
        ]
        container = {
            "name": "main",
            "image": "busybox",
            "imagePullPolicy": "IfNotPresent",
            "command": ["sh", "-c", WATCH],
            "volumeMounts": [
                {"name": "config", "mountPath": "/config"},
                {"name": "secret", "mountPath": "/secret"},
                {"name": "config", "mountPath": "/fixed", "subPath": "a"},
            ],
        }
        self.red.start_pod("one", containers=[container], volumes=volumes)
        self.red.wait_running("one")
        for kind in ("ConfigMap", "Secret"):
            self.assertEqual(0, self.red.kubectl("apply", "-f", "-", stdin=_object(kind, "two")).status)

        def seen() -> str:
            return self.red.exec("one", "cat", "/config/a", "/config/b", "/secret/a", "/secret/b").output

        base.eventually(lambda: seen() == "two two" * 2, "the new files", timeout=UPDATE_SECONDS, interval=2)
        self.assertEqual("", self.red.kubectl("logs", "one").output)
        self.assertEqual("440\n", self.red.exec("one", "stat", "-Lc", "%a", "/secret/a").output)
        # As Kubernetes: a subPath keeps what it was mounted with.
        self.assertEqual("one ", self.red.exec("one", "cat", "/fixed").output)
