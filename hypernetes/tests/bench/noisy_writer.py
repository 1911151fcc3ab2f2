# SPDX-License-Identifier: Apache-2.0
"""What a tenant that writes to etcd as fast as it can does to another tenant's requests, and to etcd's size.

Red rewrites ConfigMaps of 900 KiB over many connections; blue creates, reads and deletes a small one a few times a
second. The figures before, during and after are printed as JSON.
"""

import argparse
import json
import math
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from hypernetes.tests.isolation import base

BODY_BYTES = 900 << 10
"""An ordinary large ConfigMap: a dashboard, a bundle of CAs."""
PROBES_PER_SECOND = 4.0


class Caller:
    """A user or a service account of a tenant's namespace, with a connection of its own."""

    def __init__(self, url: str, ca_file: str, namespace: base.Namespace, token: str) -> None:
        self._maps = f"{url}/api/v1/namespaces/{namespace.name}/configmaps"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = ca_file
        self._session.headers["Authorization"] = f"Bearer {token}"

    def request(self, method: str, name: str = "", body: bytes | None = None) -> int:
        """Send a request about a ConfigMap; return the status, 0 if there was none."""
        try:
            answer = self._session.request(
                method,
                f"{self._maps}/{name}".rstrip("/"),
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=60,
            )
        except requests.RequestException:
            return 0
        return answer.status_code


def config_map(name: str, size: int, filling: str) -> bytes:
    """Return a ConfigMap as JSON."""
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"v": filling * size}}
    return json.dumps(manifest).encode()


def probe(caller: Caller, seconds: float) -> tuple[list[float], int]:
    """Return the times of one tenant's creates, reads and deletes for a while, and how many of them failed."""
    times: list[float] = []
    failed = 0
    steps: tuple[tuple[str, str, bytes | None, int], ...] = (
        ("POST", "", config_map("probe", 100, "b"), 201),
        ("GET", "probe", None, 200),
        ("DELETE", "probe", None, 200),
    )
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for method, name, body, expected in steps:
            begun = time.monotonic()
            failed += caller.request(method, name, body) != expected
            times.append(time.monotonic() - begun)
            time.sleep(1 / PROBES_PER_SECOND)
    return times, failed


def write(caller: Caller, name: str, stop: threading.Event, count: Callable[[int], None]) -> None:
    """Rewrite one ConfigMap until the stop event."""
    bodies = [config_map(name, BODY_BYTES, filling) for filling in "xy"]
    caller.request("POST", "", bodies[0])
    turn = 0
    while not stop.is_set():
        turn += 1
        count(caller.request("PUT", name, bodies[turn % 2]))


def etcd_bytes() -> dict[str, int]:
    """Return the size of etcd's file and what of it is in use."""
    answer = base.node("curl", "-s", "http://127.0.0.1:2381/metrics").output
    found = {}
    for key, metric in (
        ("file", "etcd_mvcc_db_total_size_in_bytes"),
        ("used", "etcd_mvcc_db_total_size_in_use_in_bytes"),
    ):
        match = re.search(rf"^{metric} (\S+)$", answer, re.MULTILINE)
        found[key] = int(float(match.group(1))) if match else -1
    return found


def figures(times: list[float], failed: int) -> dict[str, Any]:
    """Return the percentiles of a series, in milliseconds."""
    ordered = sorted(times)
    p99 = ordered[max(0, math.ceil(0.99 * len(ordered)) - 1)]
    return {
        "requests": len(ordered),
        "failed": failed,
        "p50_ms": round(1000 * statistics.median(ordered)),
        "p99_ms": round(1000 * p99),
        "max_ms": round(1000 * ordered[-1]),
    }


def attack(callers: list[Caller], seconds: float, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Write with all callers while ``measure`` runs, for at least so many seconds; return what was seen."""
    stop = threading.Event()
    statuses: dict[int, int] = {}
    lock = threading.Lock()

    def count(status: int) -> None:
        with lock:
            statuses[status] = statuses.get(status, 0) + 1

    threads = [
        threading.Thread(target=write, args=(caller, f"noise-{number}", stop, count), daemon=True)
        for number, caller in enumerate(callers)
    ]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    highest = {"file": 0, "used": 0}
    watcher = threading.Thread(target=_watch_size, args=(stop, highest), daemon=True)
    watcher.start()
    seen = measure()
    stop.wait(max(0.0, seconds - (time.monotonic() - begun)))
    stop.set()
    for thread in [*threads, watcher]:
        thread.join(90)
    lasted = time.monotonic() - begun
    written = statuses.get(200, 0) * BODY_BYTES
    return seen | {
        "attack_seconds": round(lasted),
        "attack_statuses": statuses,
        "attack_mib_per_second": round(written / lasted / (1 << 20), 1),
        "etcd_highest": highest,
    }


def _watch_size(stop: threading.Event, highest: dict[str, int]) -> None:
    while not stop.wait(2):
        for key, value in etcd_bytes().items():
            highest[key] = max(highest[key], value)


def main(argv: list[str]) -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(prog="tools/bench noisy-writer", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600, help="how long red writes (default: %(default)g)")
    parser.add_argument("--quiet", type=float, default=60, help="how long blue is measured alone (%(default)g)")
    parser.add_argument("--connections", type=int, default=32, help="of red's (default: %(default)d)")
    options = parser.parse_args(argv)
    answer = base.rest("red", "GET", "/v1/clusters").json()["clusters"]
    cluster = next(c for c in answer if c["name"] == base.CLUSTER)
    red, blue = (base.Namespace(who, "noisy").wait_active() for who in ("red", "blue"))
    try:
        with tempfile.TemporaryDirectory() as directory:
            ca_file = Path(directory, "ca.crt")
            ca_file.write_text(cluster["ca_certificate"])

            def caller(namespace: base.Namespace, token: str) -> Caller:
                return Caller(cluster["api_address"], str(ca_file), namespace, token)

            token = base.cloud("red").session.get_token()
            noisy = [caller(red, token) for _ in range(options.connections)]
            good = caller(blue, base.cloud("blue").session.get_token())
            probe(good, 5)
            found = {"etcd_before": etcd_bytes(), "before": figures(*probe(good, options.quiet))}
            found["during"] = attack(noisy, options.seconds, lambda: figures(*probe(good, options.seconds)))
            found["after"] = figures(*probe(good, options.quiet / 2)) | {"etcd": etcd_bytes()}
            found["p99_ratio"] = round(found["during"]["p99_ms"] / found["before"]["p99_ms"], 2)
    finally:
        for namespace in (red, blue):
            namespace.delete()
    json.dump(found, sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
