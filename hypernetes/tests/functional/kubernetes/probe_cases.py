# SPDX-License-Identifier: Apache-2.0
"""Probes and hooks as tenants write them, and the commands that the admission policy makes of them."""

from typing import Any

PORTS = [{"name": "web", "containerPort": 8080}, {"name": "other", "containerPort": 9090}]

PROBE_HANDLERS: dict[str, tuple[dict[str, Any], list[str], str]] = {
    "http": (
        {"httpGet": {"port": 80}},
        ["http", "--timeout=7", "--host=", "--port=80", "--scheme=HTTP", "--path=/"],
        "http-get http://:80/",
    ),
    "http with everything": (
        {
            "httpGet": {
                "port": "web",
                "scheme": "HTTPS",
                "host": "app.example",
                "path": "/a?b=$(HOME)&c=$1",
                "httpHeaders": [{"name": "X-One", "value": "a: b"}, {"name": "X-Two", "value": ""}],
            }
        },
        [
            "http", "--timeout=7", "--host=app.example", "--port=8080", "--scheme=HTTPS",
            "--path=/a?b=$$(HOME)&c=$$1", "--header=X-One: a: b", "--header=X-Two: ",
        ],
        "http-get https://app.example:web/a?b=$(HOME)&c=$1",
    ),
    "tcp": (
        {"tcpSocket": {"port": "other"}},
        ["tcp", "--timeout=7", "--host=", "--port=9090"],
        "tcp-socket :other",
    ),
    "tcp of an unknown port": (
        {"tcpSocket": {"port": "missing", "host": "192.0.2.1"}},
        ["tcp", "--timeout=7", "--host=192.0.2.1", "--port=missing"],
        "tcp-socket 192.0.2.1:missing",
    ),
    "grpc": (
        {"grpc": {"port": 50051}},
        ["grpc", "--timeout=7", "--host=", "--port=50051", "--service="],
        "grpc :50051 ",
    ),
    "grpc of a service": (
        {"grpc": {"port": 50051, "service": "liveness"}},
        ["grpc", "--timeout=7", "--host=", "--port=50051", "--service=liveness"],
        "grpc :50051 liveness",
    ),
}  # fmt: skip
"""Title → a probe's handler, what follows the reserved path, and the words in the annotation."""

HOOK = {"httpGet": {"port": "web", "path": "/$(HOME)"}}
HOOK_COMMAND = ["hook", "--host=", "--port=8080", "--scheme=HTTP", "--path=/$(HOME)"]

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def of_all_kinds() -> dict[str, Any]:
    """A pod spec with a probe and a hook at every place that may have one."""
    probe = {"httpGet": {"port": 80}, "periodSeconds": 3}
    probes = dict.fromkeys(PROBES, probe)
    hooks = {"lifecycle": {"postStart": HOOK, "preStop": HOOK}}
    return {
        "container": {"ports": PORTS, **probes, **hooks},
        "initContainers": [
            {"name": "first", "image": "i"},
            {"name": "sidecar", "image": "i", "restartPolicy": "Always", "ports": PORTS, **probes, **hooks},
        ],
    }
