# SPDX-License-Identifier: Apache-2.0
"""The agent's persistent record of each sandbox, and the record from which a shim reads its network.

The first is written before anything is requested or created, so that a killed agent knows what it had begun.
"""

import dataclasses
import enum
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypernetes.agent import files
from hypernetes.model import ids
from hypernetes.model import names
from hypernetes.rpc import codec
from hypernetes.rpc import messages

RECORD_VERSION = 1
OUT_OF_MEMORY = "out-of-memory.json"
"""The shim's file in a machine's directory: runtime/internal/vmstate."""

_SANDBOX_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
"""Identifiers as the CNI specification allows them, bounded; they become names of files."""


class SandboxState(enum.StrEnum):
    """State of a sandbox's port."""

    ALLOCATING = "ALLOCATING"
    """Requested; the conductor may or may not have allocated it, and the device may or may not exist."""
    PLUGGED = "PLUGGED"
    """Connected, and the shim's record is written."""
    RELEASING = "RELEASING"
    """The sandbox is gone; the release is reported until the conductor has answered."""


@dataclass(frozen=True, slots=True)
class SandboxRecord:
    """A sandbox this node serves."""

    sandbox_id: str
    state: SandboxState
    netns: str = ""
    """Path of its network namespace; when that is gone, so is the sandbox."""
    pod_namespace: str = ""
    pod_name: str = ""
    pod_uid: str = ""
    created_at: float = 0.0
    """Seconds since the epoch."""
    binding: messages.PortBinding | None = None
    """None until the conductor has answered."""
    out_of_memory: messages.OutOfMemory | None = None
    """Set with RELEASING, if the node's kernel killed the machine."""

    @property
    def tap(self) -> str | None:
        """Name of its device, once its port is known."""
        return None if self.binding is None else names.tap_name(ids.NeutronPortId(self.binding.port_id))


def is_sandbox_id(text: str) -> bool:
    """Return whether ``text`` is a valid sandbox ID."""
    return _SANDBOX_ID.fullmatch(text) is not None


def shim_record(sandbox: SandboxRecord) -> dict[str, Any]:
    """Return what the shim needs to know of its network, its size and how much its pod may write."""
    binding = sandbox.binding
    assert binding is not None
    return {
        "version": RECORD_VERSION,
        "sandbox_id": sandbox.sandbox_id,
        "pod_uid": sandbox.pod_uid,
        "pod_namespace": sandbox.pod_namespace,
        "pod_name": sandbox.pod_name,
        "namespace_id": binding.namespace_id,
        "project_id": binding.project_id,
        "port_id": binding.port_id,
        "tap": sandbox.tap,
        "mac": binding.mac_address,
        "mtu": binding.mtu,
        "addresses": list(binding.addresses),
        "routes": [dataclasses.asdict(route) for route in binding.routes],
        "name_servers": list(binding.name_servers),
        "search": [],
        # Open vSwitch in user space computes no checksums and cuts no segments for a guest.
        "offload": False,
        "scratch_size": binding.ephemeral_storage,
        "memory_bytes": binding.memory_bytes,
        "cpus": binding.cpus,
    }


class SandboxStore:
    """Keeps one file per sandbox; files that are not valid records are skipped."""

    def __init__(self, directory: Path, records: Path, machines: Path) -> None:
        """Use these directories.

        :param records: where shims read their records.
        :param machines: where shims keep what they know of their machines; it is only read.
        """
        self._directory = directory
        self._records = records
        self._machines = machines
        self._locks: dict[str, tuple[threading.Lock, int]] = {}
        self._guard = threading.Lock()
        for path in (directory, records):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o700)

    @contextmanager
    def locked(self, sandbox_id: str) -> Iterator[None]:
        """Hold the lock of a sandbox: a DEL waits for the ADD in progress."""
        with self._guard:
            lock, users = self._locks.get(sandbox_id, (threading.Lock(), 0))
            self._locks[sandbox_id] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, users = self._locks[sandbox_id]
                if users == 1:
                    del self._locks[sandbox_id]
                else:
                    self._locks[sandbox_id] = (lock, users - 1)

    def get(self, sandbox_id: str) -> SandboxRecord | None:
        """Return the sandbox, or None."""
        return _decode(files.read_json(self._directory / f"{sandbox_id}.json"))

    def all(self) -> list[SandboxRecord]:
        """Return every sandbox."""
        found = (_decode(files.read_json(path)) for path in sorted(self._directory.glob("[!.]*.json")))
        return [sandbox for sandbox in found if sandbox is not None]

    def save(self, sandbox: SandboxRecord) -> None:
        """Record the sandbox durably."""
        files.write_json(self._directory / f"{sandbox.sandbox_id}.json", codec.encode(sandbox))

    def delete(self, sandbox_id: str) -> None:
        """Forget the sandbox."""
        (self._directory / f"{sandbox_id}.json").unlink(missing_ok=True)

    def write_record(self, sandbox: SandboxRecord) -> None:
        """Write the shim's record."""
        files.write_json(self._records / f"{sandbox.sandbox_id}.json", shim_record(sandbox))

    def delete_record(self, sandbox_id: str) -> None:
        """Remove the shim's record."""
        (self._records / f"{sandbox_id}.json").unlink(missing_ok=True)

    def out_of_memory(self, sandbox_id: str) -> messages.OutOfMemory | None:
        """Return what the shim wrote when the node's kernel killed the machine, or None."""
        found = files.read_json(self._machines / sandbox_id / OUT_OF_MEMORY)
        try:
            return codec.decode(messages.OutOfMemory, found) if isinstance(found, dict) else None
        except codec.MalformedMessage:
            return None

    def recorded(self) -> set[str]:
        """Return the IDs of the sandboxes that have a shim's record."""
        return {path.stem for path in self._records.glob("[!.]*.json")}


def _decode(data: object) -> SandboxRecord | None:
    if not isinstance(data, dict):
        return None
    try:
        return codec.decode(SandboxRecord, data | {"state": SandboxState(str(data.get("state")))})
    except (codec.MalformedMessage, ValueError):
        return None
