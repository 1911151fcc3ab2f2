# SPDX-License-Identifier: Apache-2.0
"""What memory a pod's shim and QEMU take when several pods of a project run, cloned from a template and booted."""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hypernetes.tests.bench import pod_start
from hypernetes.tests.isolation import machines

SETTLE_SECONDS = 10.0


def measure(tenant: pod_start.Tenant, kind: str, count: int) -> dict[str, float]:
    """Return the MiB of a pod, on average, while so many run.

    :raises AssertionError: when one is of the other kind.
    """
    names = [f"{kind}-{number}" for number in range(count)]
    with machines.templates(pod_start.SETTINGS[kind]):
        running = [machines.of(tenant.start(name)[0]) for name in names]
    if any(machine.cloned != (kind == "cloned") for machine in running):
        raise AssertionError(f"not all pods were {kind}")
    time.sleep(SETTLE_SECONDS)
    qemu = [machines.memory(machine.qemu) for machine in running]
    shim = [machines.memory(machine.shim) for machine in running]
    tenant.stop(*names)
    pss, private = (statistics.mean(q[n] + s[n] for q, s in zip(qemu, shim, strict=True)) for n in (0, 1))
    return {"pss_MiB": round(pss / 2**20, 1), "private_MiB": round(private / 2**20, 1)}


def main(argv: list[str]) -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(prog="tools/bench memory", description=__doc__.splitlines()[0])
    parser.add_argument("--pods", type=int, default=8, help="how many run at a time (default: %(default)d)")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as directory:
        tenant = pod_start.Tenant(Path(directory))
        try:
            tenant.wait_template()
            found: dict[str, Any] = {kind: measure(tenant, kind, options.pods) for kind in pod_start.SETTINGS}
        finally:
            tenant.namespace.delete()
    for name in ("pss", "private"):
        found[f"{name}_ratio"] = round(found["cloned"][f"{name}_MiB"] / found["booted"][f"{name}_MiB"], 2)
    json.dump(found | {"pods": options.pods}, sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
