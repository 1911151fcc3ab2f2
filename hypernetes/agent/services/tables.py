# SPDX-License-Identifier: Apache-2.0
"""The tables of all namespaces with pods on this node, each for as long as there are pods."""

import functools
import threading
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import Protocol

from oslo_log import log

from hypernetes.agent import files
from hypernetes.agent.ports.sandboxes import SandboxRecord
from hypernetes.agent.ports.sandboxes import SandboxState
from hypernetes.agent.services import follower
from hypernetes.agent.services import table

LOG = log.getLogger(__name__)

INTERVAL = 30.0
"""Seconds after which namespaces without pods are noticed."""


class Following(Protocol):
    """A follower that runs, or will."""

    def start(self) -> None:
        """Begin to follow."""

    def stop(self) -> None:
        """Publish nothing more."""


class ServiceTables:
    """Follows each namespace that has a pod on this node, and writes its table."""

    def __init__(
        self,
        directory: Path,
        node: str,
        sandboxes: Callable[[], Sequence[SandboxRecord]],
        connect: Callable[[], follower.Apiserver],
        follow: Callable[..., Following] = follower.Follower,
    ) -> None:
        """Use these.

        :param directory: where the shims read.
        :param node: the name of this node in the cluster.
        :param sandboxes: return every sandbox on the node.
        """
        self._directory = directory
        self._node = node
        self._sandboxes = sandboxes
        self._connect = connect
        self._follow = follow
        self._lock = threading.Lock()
        self._followed: dict[str, Following] = {}
        """Followers by the ID of the namespace: its name may be used again."""

    def add(self, sandbox: SandboxRecord) -> None:
        """Follow the namespace of a sandbox that has a port, unless it is followed."""
        if sandbox.binding is None:
            return
        with self._lock:
            self._add(sandbox)

    def _add(self, sandbox: SandboxRecord) -> None:
        assert sandbox.binding is not None
        identifier = sandbox.binding.namespace_id
        if identifier in self._followed:
            return
        path = self._path(identifier)
        publish = functools.partial(self._write, path, sandbox.binding.service_subnet)
        self._followed[identifier] = self._follow(sandbox.pod_namespace, self._connect, publish)
        self._followed[identifier].start()

    def sweep(self) -> None:
        """Follow the namespaces that have pods, and no others; a file that nothing writes any more is removed."""
        with self._lock:
            living = _living(self._sandboxes())
            for sandbox in living.values():
                self._add(sandbox)
            for identifier in self._followed.keys() - living.keys():
                self._followed.pop(identifier).stop()
            for path in self._directory.glob("[!.]*.json"):
                if path.stem not in living:
                    path.unlink(missing_ok=True)

    def sweep_until(self, stop: threading.Event) -> None:
        """Call :meth:`sweep` now and every :data:`INTERVAL` seconds until ``stop``."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._directory.chmod(0o700)
        while not stop.is_set():
            try:
                self.sweep()
            except OSError:
                LOG.exception("The tables of Services were not looked through")
            stop.wait(INTERVAL)
        with self._lock:
            for one in self._followed.values():
                one.stop()

    def _path(self, identifier: str) -> Path:
        return self._directory / f"{identifier}.json"

    def _write(self, path: Path, subnet: str, services: Iterable[table.Object], slices: Iterable[table.Object]) -> None:
        made: dict[str, Any] = table.table(services, slices, self._node, subnet)
        if files.write_json(path, made):
            LOG.debug("%s has %d ports", path, len(made["ports"]))


def _living(sandboxes: Iterable[SandboxRecord]) -> dict[str, SandboxRecord]:
    """Return one sandbox of each namespace that has pods: the newest, which knows most."""
    found: dict[str, SandboxRecord] = {}
    for sandbox in sorted(sandboxes, key=lambda one: one.created_at):
        if sandbox.binding is not None and sandbox.state is not SandboxState.RELEASING:
            found[sandbox.binding.namespace_id] = sandbox
    return found
