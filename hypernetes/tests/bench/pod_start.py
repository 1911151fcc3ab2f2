# SPDX-License-Identifier: Apache-2.0
"""How much longer a pod takes to start than the bare machine it lives in boots, cloned from a template and booted.

Interleaved in one run: (pod object created → container Running) ÷ (exec of QEMU with the arguments of a machine that
boots → the guest's first byte on the channel), and where the time of both starts goes.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import requests

from hypernetes.tests.bench import reference
from hypernetes.tests.bench import timeline
from hypernetes.tests.isolation import base
from hypernetes.tests.isolation import machines

SETTINGS = {"cloned": "project", "booted": "off"}
QUIET_SECONDS = 3.0
"""Before each measurement: what the previous one left behind is cleaned up meanwhile."""


class Tenant:
    """A namespace of red's, and a session at the apiserver."""

    def __init__(self, directory: Path, prefix: str = "bench") -> None:
        clusters = base.rest("red", "GET", "/v1/clusters").json()["clusters"]
        cluster = next(c for c in clusters if c["name"] == base.CLUSTER)
        ca = directory / "ca.crt"
        ca.write_text(cluster["ca_certificate"])
        self.session = requests.Session()
        # Else REQUESTS_CA_BUNDLE of the caller's environment would win over the session's CA.
        self.session.trust_env = False
        self.session.verify = str(ca)
        self.session.headers["Authorization"] = f"Bearer {base.cloud('red').session.get_token()}"
        self.namespace = base.Namespace("red", prefix).wait_active()
        self.pods = f"{cluster['api_address']}/api/v1/namespaces/{self.namespace.name}/pods"

    def start(self, name: str) -> tuple[str, float, float]:
        """Start a pod; return its UID, when it was sent, and when a watch showed its container running.

        :raises AssertionError: when it does not run.
        """
        version = self.session.get(self.pods, timeout=30).json()["metadata"]["resourceVersion"]
        query = {"watch": "1", "resourceVersion": version, "fieldSelector": f"metadata.name={name}"}
        with self.session.get(self.pods, params=query, stream=True, timeout=base.POD_START_SECONDS) as watch:
            begun = time.time()
            made = self.session.post(self.pods, json=base.pod(name), timeout=30)
            made.raise_for_status()
            for line in watch.iter_lines(chunk_size=1):
                statuses = json.loads(line)["object"].get("status", {}).get("containerStatuses", [])
                if any("running" in status["state"] for status in statuses):
                    return made.json()["metadata"]["uid"], begun, time.time()
        raise AssertionError(f"pod {name} did not run")

    def stop(self, *names: str) -> None:
        """Delete pods and wait until they are gone."""
        self.namespace.kubectl("delete", "pod", *names)

    def wait_template(self) -> None:
        """Start pods until one is a clone."""

        def cloned() -> bool:
            name = f"warm-{time.monotonic_ns()}"
            uid, _, _ = self.start(name)
            found = machines.of(uid).cloned
            self.stop(name)
            return found

        base.eventually(cloned, "a pod is cloned", timeout=180, interval=5)


class Measured:
    """What was measured of one kind of start."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.timelines: list[dict[str, float]] = []
        self.own_memory: list[int] = []

    def figures(self, bare: float) -> dict[str, Any]:
        """Return the figures, with their ratio to a bare boot."""
        median = statistics.median(self.seconds)
        return {
            "seconds": round(median, 3),
            "range": [round(min(self.seconds), 3), round(max(self.seconds), 3)],
            "start_ratio": round(median / bare, 2),
            "phases": timeline.medians(self.timelines),
            "shim_and_qemu_MiB": round(statistics.median(self.own_memory) / 2**20, 1),
        }


def measure(tenant: Tenant, kind: str, name: str, measured: Measured) -> list[str]:
    """Start one pod of a kind, and return its QEMU's arguments.

    :raises AssertionError: when it is of the other kind.
    """
    with machines.templates(SETTINGS[kind]):
        time.sleep(QUIET_SECONDS)
        uid, posted, running = tenant.start(name)
    machine = machines.of(uid)
    if machine.cloned != (kind == "cloned"):
        raise AssertionError(f"pod {name} was not {kind}")
    measured.seconds.append(running - posted)
    measured.timelines.append(timeline.of(uid, posted, running))
    guest = reference.guest_memory(machine.arguments)
    measured.own_memory.append(reference.overhead(machine.qemu, guest) + reference.overhead(machine.shim, guest))
    tenant.stop(name)
    return machine.arguments


def main(argv: list[str]) -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(prog="tools/bench start", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10, help="of one start of each kind (default: %(default)d)")
    options = parser.parse_args(argv)
    kinds = {kind: Measured() for kind in SETTINGS}
    bare: list[float] = []
    bare_memory: list[int] = []
    with tempfile.TemporaryDirectory() as directory:
        tenant = Tenant(Path(directory))
        try:
            tenant.wait_template()
            for number in range(options.rounds):
                measure(tenant, "cloned", f"cloned-{number}", kinds["cloned"])
                arguments = measure(tenant, "booted", f"booted-{number}", kinds["booted"])
                time.sleep(QUIET_SECONDS)
                booted = reference.boot(arguments)
                bare.append(booted.seconds)
                bare_memory.append(booted.pss)
                taken = ", ".join(f"{kind} {found.seconds[-1]:.2f} s" for kind, found in kinds.items())
                print(
                    f"round {number + 1}: {taken}, bare {bare[-1]:.2f} s, load {os.getloadavg()[0]:.1f}",
                    file=sys.stderr,
                )
        finally:
            tenant.namespace.delete()
    median = statistics.median(bare)
    found = {kind: measured.figures(median) for kind, measured in kinds.items()}
    found |= {"bare": {"seconds": round(median, 3), "qemu_MiB": round(statistics.median(bare_memory) / 2**20, 1)}}
    json.dump(found, sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
