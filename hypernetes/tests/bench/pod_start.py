# SPDX-License-Identifier: Apache-2.0
"""How much longer a pod takes than the bare machine it lives in, and how much more memory.

Interleaved in one run, median of five: (pod object created → container Running) ÷ (exec of QEMU with the same
arguments → the guest's first byte on the channel), and the memory of shim and QEMU without the guest's own.
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import requests

from hypernetes.tests.bench import reference
from hypernetes.tests.isolation import base

ROUNDS = 5


def running(namespace: base.Namespace, session: requests.Session, url: str, name: str) -> float:
    """Seconds from sending a pod to the apiserver until a watch shows its container running."""
    pods = f"{url}/api/v1/namespaces/{namespace.name}/pods"
    version = session.get(pods, timeout=30).json()["metadata"]["resourceVersion"]
    query = {"watch": "1", "resourceVersion": version, "fieldSelector": f"metadata.name={name}"}
    with session.get(pods, params=query, stream=True, timeout=base.POD_START_SECONDS) as watch:
        begun = time.monotonic()
        made = session.post(pods, json=base.pod(name), timeout=30)
        made.raise_for_status()
        for line in watch.iter_lines(chunk_size=1):
            statuses = json.loads(line)["object"].get("status", {}).get("containerStatuses", [])
            if any("running" in status["state"] for status in statuses):
                return time.monotonic() - begun
    raise AssertionError(f"pod {name} did not run")


def machine_of(uid: str) -> tuple[int, int, list[str]]:
    """QEMU's and the shim's process numbers, and QEMU's arguments, of a pod's machine."""
    records = base.node("sh", "-c", "cat /run/hypernetes/sandboxes/*.json").output
    decoder = json.JSONDecoder()
    sandbox, rest = "", records.strip()
    while rest:
        record, end = decoder.raw_decode(rest)
        rest = rest[end:].strip()
        if record["pod_uid"] == uid:
            sandbox = record["sandbox_id"]
    machine = shim = 0
    arguments: list[str] = []
    for process in base.processes():
        line = base.command_line(process)
        if not sandbox or not any(sandbox in word for word in line):
            continue
        if "qemu-system" in line[0]:
            machine, arguments = int(process.name), line
        elif "containerd-shim-hyper-v2" in line[0]:
            shim = int(process.name)
    if not machine or not shim:
        raise AssertionError(f"no machine for pod {uid}")
    return machine, shim, arguments


def main() -> int:
    """Print the figures as JSON."""
    cluster = next(c for c in base.rest("red", "GET", "/v1/clusters").json()["clusters"] if c["name"] == base.CLUSTER)
    namespace = base.Namespace("red", "bench").wait_active()
    pods, bare, memory, bare_memory = [], [], [], []
    try:
        with tempfile.TemporaryDirectory() as directory, requests.Session() as session:
            authority = Path(directory, "ca.crt")
            authority.write_text(cluster["ca_certificate"])
            # Else REQUESTS_CA_BUNDLE of the caller's environment would win over the session's authority.
            session.trust_env = False
            session.verify = str(authority)
            session.headers["Authorization"] = f"Bearer {base.cloud('red').session.get_token()}"
            namespace.start_pod("warm")
            namespace.wait_running("warm")
            namespace.kubectl("delete", "pod", "warm")
            for number in range(ROUNDS):
                name = f"pod-{number}"
                pods.append(running(namespace, session, cluster["api_address"], name))
                machine, shim, arguments = machine_of(namespace.uid(name))
                guest = reference.guest_memory(arguments)
                memory.append(reference.overhead(machine, guest) + reference.overhead(shim, guest))
                namespace.kubectl("delete", "pod", name)
                booted = reference.boot(arguments, Path(directory))
                bare.append(booted.seconds)
                bare_memory.append(booted.pss)
                print(f"round {number + 1}: pod {pods[-1]:.2f} s, bare machine {bare[-1]:.2f} s", file=sys.stderr)
    finally:
        namespace.delete()
    print(
        json.dumps(
            {
                "pod_start_seconds": round(statistics.median(pods), 3),
                "bare_machine_seconds": round(statistics.median(bare), 3),
                "start_ratio": round(statistics.median(pods) / statistics.median(bare), 2),
                "shim_and_qemu_MiB": round(statistics.median(memory) / 2**20, 1),
                "bare_qemu_MiB": round(statistics.median(bare_memory) / 2**20, 1),
                "memory_ratio": round(statistics.median(memory) / statistics.median(bare_memory), 2),
            },
            indent=2,
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
