# SPDX-License-Identifier: Apache-2.0
"""How long a pod waits for its port (CNI ADD), with a ready port in its namespace's pool and without.

Each round has a namespace of its own, whose first pod finds no ready port and whose second finds one.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
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


def start(tenant: pod_start.Tenant, name: str) -> float:
    """Start a pod and return how long the agent took to answer the CNI plugin, by its log."""
    uid, _, _ = tenant.start(name)
    return timeline.port_seconds(uid)


def measure(tenant: pod_start.Tenant, found: dict[str, list[float]]) -> None:
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
    found: dict[str, list[float]] = {"miss": [], "hit": []}
    with tempfile.TemporaryDirectory() as directory:
        for number in range(options.rounds):
            measure(pod_start.Tenant(Path(directory), f"ports-{number}"), found)
            print(f"round {number + 1}: " + ", ".join(f"{k} {v[-1]:.2f} s" for k, v in found.items()), file=sys.stderr)
    figures: dict[str, Any] = {
        kind: {"seconds": round(statistics.median(v), 3), "range": [min(v), max(v)]} for kind, v in found.items()
    }
    figures["hit_ratio"] = round(statistics.median(found["hit"]) / statistics.median(found["miss"]), 3)
    json.dump(figures, sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
