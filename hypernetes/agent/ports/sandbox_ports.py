# SPDX-License-Identifier: Apache-2.0
"""Allocates ports to sandboxes and releases them; an operation that a kill interrupts is resumed."""

import contextlib
import dataclasses
import operator
import threading
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import cachetools
import tenacity
from oslo_log import log

from hypernetes.agent import backoff
from hypernetes.agent.ports import driver as drivers
from hypernetes.agent.ports import released
from hypernetes.agent.ports import sandboxes
from hypernetes.agent.ports.sandboxes import SandboxRecord
from hypernetes.agent.ports.sandboxes import SandboxState
from hypernetes.model import errors
from hypernetes.rpc import messages

LOG = log.getLogger(__name__)

_KNOWN_NAMESPACES = 4096

IDLE_SECONDS = 0.5
STATUS_MAX_AGE = 30.0
"""Seconds for which a successful check of the network backend answers STATUS, which containerd sends every 5 s."""


class Conductor(Protocol):
    """The conductor's methods that ports use."""

    @property
    def caller(self) -> messages.Caller:
        """The node's identity and token."""

    def allocate_port(self, message: messages.AllocatePort) -> messages.PortBinding:
        """Allocate a port to a sandbox."""

    def release_port(self, message: messages.ReleasePort) -> messages.Done:
        """Release the port of a sandbox."""

    def list_ports(self, message: messages.ListPorts) -> messages.PortList:
        """Return the ports that the conductor has recorded for the node."""


class UnknownSandbox(Exception):
    """The sandbox has no port on this node."""


class SandboxPorts:
    """The ports of this node's sandboxes."""

    def __init__(
        self,
        store: sandboxes.SandboxStore,
        driver: drivers.PlugDriver,
        conductor: Conductor,
        retry_max_interval: float = 30.0,
        allocate_deadline: float = 0.0,
        plugged: Callable[[SandboxRecord], None] = lambda _: None,
    ) -> None:
        """Use these.

        :param plugged: called with each sandbox whose port is known, before its machine starts.
        """
        self._plugged = plugged
        self._store = store
        self._driver = driver
        self._conductor = conductor
        self._retry_max_interval = retry_max_interval
        self._allocate_deadline = allocate_deadline
        self._release_requested = threading.Event()
        self._released = released.ReleasedSandboxes()
        self._unplugged: set[str] = set()
        """Sandboxes in RELEASING whose device is gone; each is changed under the lock of its sandbox only."""
        self._last_ping = float("-inf")
        self._projects: cachetools.LRUCache[str, str] = cachetools.LRUCache(_KNOWN_NAMESPACES)
        """Whose a namespace of pods is, as the conductor last said."""
        self._projects_lock = threading.Lock()

    # ---- requests of the CNI executable ----

    def add(self, sandbox: SandboxRecord) -> SandboxRecord:
        """Allocate and plug a port for the sandbox; repeated calls return the same port.

        :raises errors.HypernetesError: when the conductor refuses or does not answer.
        :raises drivers.PlugFailed: when the port could not be connected in time.
        """
        started = time.monotonic()
        with self._store.locked(sandbox.sandbox_id):
            known = self._store.get(sandbox.sandbox_id)
            if known is not None and known.state is SandboxState.RELEASING:
                raise errors.Conflict(kind="sandbox", id=sandbox.sandbox_id, reason="its port is being released")
            # Intent first: if the agent is killed in the call, this record leads back to the port.
            self._store.save(known or sandbox)
            self._released.discard(sandbox.sandbox_id)
            binding = self._allocate(sandbox)
            with self._projects_lock:
                self._projects[sandbox.pod_namespace] = binding.project_id or sandbox.pod_namespace
            sandbox = dataclasses.replace(known or sandbox, binding=binding)
            self._store.save(sandbox)
            self._plugged(sandbox)
            with self._backend():
                self._driver.plug(_plug(sandbox))
            self._store.write_record(sandbox)
            sandbox = dataclasses.replace(sandbox, state=SandboxState.PLUGGED)
            self._store.save(sandbox)
        seconds = time.monotonic() - started
        LOG.info("Sandbox %s has port %s after %.2f s", sandbox.sandbox_id, binding.port_id, seconds)
        return sandbox

    def project_of(self, namespace: str) -> str:
        """Return the project of a namespace of pods; the namespace itself before it has had a port on this node."""
        with self._projects_lock:
            return self._projects.get(namespace, namespace)

    def _allocate(self, sandbox: SandboxRecord) -> messages.PortBinding:
        """Ask the conductor, and retry while none answers: another one takes over from a killed conductor."""
        message = messages.AllocatePort(
            caller=self._conductor.caller,
            sandbox=messages.Sandbox(
                sandbox_id=sandbox.sandbox_id,
                pod_namespace=sandbox.pod_namespace,
                pod_name=sandbox.pod_name,
                pod_uid=sandbox.pod_uid,
            ),
        )

        def log_retry(state: tenacity.RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            LOG.warning("Sandbox %s has no port yet: %s", sandbox.sandbox_id, error)

        retrying = tenacity.Retrying(
            wait=backoff.pauses(0.2, 2.0),
            stop=tenacity.stop_before_delay(self._allocate_deadline),
            retry=tenacity.retry_if_exception_type(errors.Unavailable),
            before_sleep=log_retry,
            reraise=True,
        )
        return retrying(self._conductor.allocate_port, message)

    def delete(self, sandbox_id: str) -> None:
        """Unplug the sandbox's port and have the conductor release it; does nothing if that was done before.

        :raises drivers.PlugFailed: when the device could not be removed.
        """
        with self._store.locked(sandbox_id):
            sandbox = self._store.get(sandbox_id)
            if sandbox is None and sandbox_id in self._released:
                return
            # The conductor may know a sandbox that has no record here: the node's disk may have been replaced.
            sandbox = sandbox or SandboxRecord(sandbox_id, SandboxState.RELEASING)
            # The shim's directory goes away after this call.
            found = self._store.out_of_memory(sandbox_id) or sandbox.out_of_memory
            self._store.save(dataclasses.replace(sandbox, state=SandboxState.RELEASING, out_of_memory=found))
            self._unplug(sandbox)
        self._release_requested.set()

    def _unplug(self, sandbox: SandboxRecord) -> None:
        """Remove the sandbox's device and the shim's record, unless this process has already done so."""
        if sandbox.sandbox_id in self._unplugged:
            return
        if sandbox.tap is not None:
            with self._backend():
                self._driver.unplug(sandbox.tap)
        self._store.delete_record(sandbox.sandbox_id)
        self._unplugged.add(sandbox.sandbox_id)

    def check(self, sandbox_id: str) -> None:
        """Check that the sandbox's port is connected.

        :raises UnknownSandbox: when it has no port.
        :raises drivers.PlugFailed: when the port is not connected.
        """
        sandbox = self._store.get(sandbox_id)
        if sandbox is None or sandbox.state is not SandboxState.PLUGGED:
            raise UnknownSandbox(sandbox_id)
        self._driver.check(_plug(sandbox))

    def status(self) -> None:
        """Make sure that new ports can be plugged, by a check that is at most :data:`STATUS_MAX_AGE` old.

        Only success is remembered, and only until a call to the backend fails.

        :raises drivers.PlugFailed: when they cannot be plugged.
        """
        if time.monotonic() - self._last_ping < STATUS_MAX_AGE:
            return
        started = time.monotonic()
        self._driver.ping()
        self._last_ping = started

    @contextlib.contextmanager
    def _backend(self) -> Iterator[None]:
        """Have the next STATUS check the backend again if the call in the block fails."""
        try:
            yield
        except drivers.PlugFailed:
            self._last_ping = float("-inf")
            raise

    def keep_only(self, valid: Iterable[str]) -> None:
        """Delete the port of every sandbox that is not named.

        :raises drivers.PlugFailed: when a device could not be removed.
        """
        keep = set(valid)
        for sandbox in self._store.all():
            if sandbox.sandbox_id not in keep and sandbox.state is not SandboxState.RELEASING:
                LOG.info("Sandbox %s is no longer known to containerd", sandbox.sandbox_id)
                self.delete(sandbox.sandbox_id)

    # ---- background work ----

    def release_until(self, stop: threading.Event) -> None:
        """Have the conductor release the ports of deleted sandboxes, retrying until it answers; runs until ``stop``."""
        retrying = backoff.until_stopped(stop, 0.5, self._retry_max_interval)
        complete = retrying.copy(retry=tenacity.retry_if_result(operator.not_))
        while not stop.is_set():
            self._release_requested.clear()
            with contextlib.suppress(tenacity.RetryError):
                complete(self._release_all)
            # The timeout lets the loop notice ``stop``.
            self._release_requested.wait(IDLE_SECONDS)

    def _release_all(self) -> bool:
        complete = True
        for sandbox in self._store.all():
            if sandbox.state is not SandboxState.RELEASING:
                continue
            with self._store.locked(sandbox.sandbox_id):
                try:
                    # The agent that recorded the release may have been killed before it unplugged the device.
                    self._unplug(sandbox)
                    self._conductor.release_port(
                        messages.ReleasePort(
                            caller=self._conductor.caller,
                            sandbox_id=sandbox.sandbox_id,
                            out_of_memory=sandbox.out_of_memory,
                        )
                    )
                except errors.Unavailable as error:
                    # The other sandboxes would fail in the same way.
                    LOG.warning("The ports of sandboxes that are gone are not released yet: %s", error)
                    return False
                except (errors.HypernetesError, drivers.PlugFailed) as error:
                    LOG.warning("The port of sandbox %s is not released yet: %s", sandbox.sandbox_id, error)
                    complete = False
                else:
                    self._store.delete(sandbox.sandbox_id)
                    self._released.add(sandbox.sandbox_id)
                    self._unplugged.discard(sandbox.sandbox_id)
                    LOG.info("The port of sandbox %s is released", sandbox.sandbox_id)
        return complete

    def collect(self) -> None:
        """Find and delete ports, devices and records that no sandbox needs any more.

        :raises errors.HypernetesError: when the conductor does not answer.
        :raises drivers.PlugFailed: when the network backend does not answer.
        """
        # Devices and records are listed before the sandboxes. A sandbox is recorded before it gets either, so those of
        # a sandbox that is being added are never mistaken for garbage.
        with self._backend():
            devices = self._driver.devices()
        recorded = self._store.recorded()
        known = {sandbox.sandbox_id: sandbox for sandbox in self._store.all()}
        for sandbox in self._gone(known.values()):
            LOG.info("Sandbox %s disappeared without a CNI DEL; releasing its port", sandbox.sandbox_id)
            self.delete(sandbox.sandbox_id)
        for tap, sandbox_id in devices.items():
            if sandbox_id not in known:
                LOG.info("Device %s belongs to no sandbox; deleting it", tap)
                self._driver.unplug(tap)
        for sandbox_id in recorded - known.keys():
            self._store.delete_record(sandbox_id)
        ports = self._conductor.list_ports(messages.ListPorts(caller=self._conductor.caller)).ports
        known = {sandbox.sandbox_id: sandbox for sandbox in self._store.all()}
        for port in ports:
            if port.sandbox_id not in known and sandboxes.is_sandbox_id(port.sandbox_id):
                # An allocation that the conductor completed after the release; to release a port twice is harmless.
                self._released.discard(port.sandbox_id)
                self.delete(port.sandbox_id)

    def _gone(self, known: Iterable[SandboxRecord]) -> list[SandboxRecord]:
        alive = [sandbox for sandbox in known if sandbox.state is not SandboxState.RELEASING]
        newest: dict[str, SandboxRecord] = {}
        for sandbox in alive:
            if sandbox.state is SandboxState.PLUGGED:
                other = newest.get(sandbox.pod_uid)
                if other is None or other.created_at < sandbox.created_at:
                    newest[sandbox.pod_uid] = sandbox
        # kubelet creates a pod's next sandbox only after the previous one is dead. A containerd that was killed while
        # it created a sandbox has forgotten it and never sends DEL.
        return [
            sandbox
            for sandbox in alive
            if (sandbox.netns and not Path(sandbox.netns).exists())
            or (sandbox.pod_uid in newest and sandbox.created_at < newest[sandbox.pod_uid].created_at)
        ]

    def collect_until(self, stop: threading.Event, interval: float) -> None:
        """Call :meth:`collect` now and every ``interval`` seconds until ``stop``."""
        while not stop.is_set():
            started = time.monotonic()
            try:
                self.collect()
            except (errors.HypernetesError, drivers.PlugFailed) as error:
                LOG.warning("The collection of abandoned ports is incomplete: %s", error)
            except Exception:
                LOG.exception("The collection of abandoned ports failed")
            stop.wait(max(interval - (time.monotonic() - started), 0.1))


def _plug(sandbox: SandboxRecord) -> drivers.Plug:
    binding, tap = sandbox.binding, sandbox.tap
    assert binding is not None
    assert tap is not None
    return drivers.Plug(sandbox.sandbox_id, binding.port_id, tap, binding.mac_address, binding.mtu)
