# SPDX-License-Identifier: Apache-2.0
"""The virtual machines of the node's pods, and whether new ones are cloned or booted."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hypernetes.tests.isolation import base

SETTINGS = "/etc/hypernetes/runtime.json"


@dataclass(frozen=True, slots=True)
class Machine:
    """A pod's virtual machine."""

    qemu: int
    shim: int
    arguments: list[str]
    """QEMU's."""

    @property
    def cloned(self) -> bool:
        """Return whether it continues from a template."""
        return "-incoming" in self.arguments


def of(uid: str) -> Machine:
    """Return the machine of the pod with this UID.

    :raises AssertionError: when it has none.
    """
    records = base.node("sh", "-c", "cat /run/hypernetes/sandboxes/*.json").output
    decoder = json.JSONDecoder()
    sandbox, rest = "", records.strip()
    while rest:
        record, end = decoder.raw_decode(rest)
        rest = rest[end:].strip()
        if record["pod_uid"] == uid:
            sandbox = record["sandbox_id"]
    qemu = shim = 0
    arguments: list[str] = []
    for process in base.processes():
        line = base.command_line(process)
        if not sandbox or not any(sandbox in word for word in line):
            continue
        if "qemu-system" in line[0]:
            qemu, arguments = int(process.name), line
        elif "containerd-shim-hyper-v2" in line[0]:
            shim = int(process.name)
    if not qemu or not shim:
        raise AssertionError(f"no machine for pod {uid}")
    return Machine(qemu, shim, arguments)


def memory(pid: int) -> tuple[int, int]:
    """Return a process's proportional and private memory, in bytes."""
    found = {"Pss": 0, "Private_Clean": 0, "Private_Dirty": 0}
    for line in (Path("/proc") / str(pid) / "smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in found:
            found[name] = int(rest.split()[0]) << 10
    return found["Pss"], found["Private_Clean"] + found["Private_Dirty"]


@contextmanager
def templates(setting: str) -> Iterator[None]:
    """Have new machines cloned (``project``) or booted (``off``) in the block; the keeper goes on in either case."""
    before = base.node("cat", SETTINGS).output
    _write(json.dumps(json.loads(before) | {"templates": setting}))
    try:
        yield
    finally:
        _write(before)


def _write(text: str) -> None:
    # Replaced as a whole: a shim may read it at any moment.
    done = base.node("sh", "-c", f'printf %s "$1" >{SETTINGS}.bench && mv {SETTINGS}.bench {SETTINGS}', "sh", text)
    if done.status:
        raise AssertionError(f"write {SETTINGS}: {done.text}")
