# SPDX-License-Identifier: Apache-2.0
"""How long a pod waits for its port (CNI ADD), with a ready port in its namespace's pool and without.

Each round has a namespace of its own, whose first pod finds no ready port and whose second finds one. What Neutron was
asked about the pod's own port until the pod ran is counted too, by its log: what fills the pool again names others.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypernetes.tests.bench import pod_start
from hypernetes.tests.bench import timeline
from hypernetes.tests.isolation import base

POOL_SECONDS = 60


def ready_ports(namespace: base.Namespace) -> int:
    """Return how many ports of a namespace's network wait for a pod."""
    ports = base.cloud("admin").network.ports(network_id=namespace.record()["network_id"])
    return sum(port.device_owner == "compute:hypernetes" and not port.device_id for port in ports)


@dataclass(frozen=True, slots=True)
class Wait:
    """What a pod waited for."""

    seconds: float
    """From the CNI plugin's question to the agent's answer."""
    calls: int
    """Requests to Neutron that named its port before the pod ran; a port that is made then is one more."""


def start(tenant: pod_start.Tenant, name: str) -> Wait:
    """Start a pod and return what it waited for, by the logs."""
    log = base.LAYOUT.log / "neutron.log"
    before = log.stat().st_size
    uid, _, _ = tenant.start(name)
    port, seconds = timeline.port_of(uid)
    with log.open("rb") as file:
        file.seek(before)
        asked = file.read().decode(errors="replace").splitlines()
    return Wait(seconds, sum(f"/v2.0/ports/{port}" in line for line in asked))


def measure(tenant: pod_start.Tenant, found: dict[str, list[Wait]]) -> None:
    """Start a pod without a ready port, and one with; the namespace goes away by itself."""
    try:
        found["miss"].append(start(tenant, "first"))
        base.eventually(lambda: ready_ports(tenant.namespace), "a ready port", timeout=POOL_SECONDS)
        time.sleep(pod_start.QUIET_SECONDS)
        found["hit"].append(start(tenant, "second"))
    finally:
        base.rest("red", "DELETE", f"/v1/namespaces/{tenant.namespace.id}")


def main(argv: list[str]) -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(prog="tools/bench ports", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10, help="namespaces, of two pods each (default: %(default)d)")
    options = parser.parse_args(argv)
    found: dict[str, list[Wait]] = {"miss": [], "hit": []}
    with tempfile.TemporaryDirectory() as directory:
        for number in range(options.rounds):
            measure(pod_start.Tenant(Path(directory), f"ports-{number}"), found)
            print(
                f"round {number + 1}: " + ", ".join(f"{k} {v[-1].seconds:.2f} s" for k, v in found.items()),
                file=sys.stderr,
            )
    seconds = {kind: [wait.seconds for wait in waits] for kind, waits in found.items()}
    figures: dict[str, Any] = {
        kind: {
            "seconds": round(statistics.median(times), 3),
            "range": [min(times), max(times)],
            "neutron_calls_for_its_port": [wait.calls for wait in found[kind]],
        }
        for kind, times in seconds.items()
    }
    figures["hit_ratio"] = round(statistics.median(seconds["hit"]) / statistics.median(seconds["miss"]), 3)
    json.dump(figures, sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
