# SPDX-License-Identifier: Apache-2.0
"""The exclusive right to work on an object, visible as a ``with`` block.

    with leases.hold("namespace:…") as lease:
        …
        lease.check()      # before anything that must not happen twice

Several conductors share the database; the one that owns the row may work, until the row expires. One thread renews all
leases of the process. When a renewal fails (the database was away for too long, or the process was stopped and
another conductor took over) the lease is *lost*, and :meth:`Lease.check` ends the work before its next step.
"""

import contextlib
import itertools
import socket
import threading
import time
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from typing import Protocol

from oslo_log import log

LOG = log.getLogger(__name__)


class LeaseStore(Protocol):
    """The repository of lease rows; times are the database's."""

    def acquire(self, key: str, owner: str, seconds: float) -> bool:
        """Acquire the lease if it is free or expired."""
        ...

    def renew(self, key: str, owner: str, seconds: float) -> bool:
        """Extend the lease if the owner still has it."""
        ...

    def release(self, key: str, owner: str) -> None:
        """Release the lease."""
        ...


class Busy(Exception):
    """Another conductor, or another thread of this one, is working on the object."""


class LeaseLost(Exception):
    """The lease expired during the work; another conductor may work on the object now."""


class Lease:
    """A lease that is held."""

    def __init__(self, key: str, owner: str, clock: Callable[[], float], seconds: float) -> None:
        self.key = key
        self.owner = owner
        self._clock = clock
        self._seconds = seconds
        self._until = clock() + seconds

    def extend(self, sent_at: float) -> None:
        """Note a renewal by a request sent at ``sent_at``, from which the time counts."""
        self._until = max(self._until, sent_at + self._seconds)

    def lose(self) -> None:
        """Note that it could not be renewed."""
        self._until = float("-inf")

    def check(self) -> None:
        """Check that the lease is still held.

        :raises LeaseLost: when it is not.
        """
        if self._clock() >= self._until:
            raise LeaseLost(self.key)


class Leases:
    """The leases of one conductor process.

    :param seconds: how long a lease lasts unless renewed; renewed after a third of it.
    """

    def __init__(
        self, store: LeaseStore, seconds: float, *, clock: Callable[[], float] = time.monotonic, name: str | None = None
    ) -> None:
        self._store = store
        self._seconds = seconds
        self._clock = clock
        # Unique by process *and* start: a conductor that was killed must not be mistaken for its successor.
        self._name = name or f"{socket.gethostname()}/{uuid.uuid4().hex[:12]}"
        self._numbers = itertools.count(1)
        self._held: dict[str, Lease] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start renewing, until :meth:`stop`."""
        self._thread = threading.Thread(target=self._renew_until_stopped, name="leases", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop renewing. Leases that are still held expire."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(self._seconds)

    @contextlib.contextmanager
    def hold(self, key: str, *, wait: float = 0.0) -> Iterator[Lease]:
        """Hold the lease ``key`` for the duration of the block.

        :param wait: how many seconds to wait for another owner to release it.
        :raises Busy: when another owner still has it.
        """
        # Each block is an owner of its own, so that two threads of a process exclude each other too.
        owner = f"{self._name}/{next(self._numbers)}"
        deadline = self._clock() + wait
        pause = 0.05
        sent_at = self._clock()
        while not self._store.acquire(key, owner, self._seconds):
            if self._clock() + pause > deadline:
                raise Busy(key)
            self._stop.wait(pause)
            pause = min(pause * 1.5, 1.0)
            sent_at = self._clock()
        lease = Lease(key, owner, self._clock, self._seconds)
        lease.extend(sent_at)
        with self._lock:
            self._held[owner] = lease
        try:
            yield lease
        finally:
            with self._lock:
                self._held.pop(owner, None)
            try:
                self._store.release(key, owner)
            except Exception:
                # It expires; the outcome of the work is what the caller needs to know.
                LOG.warning("Could not release the lease %s; it will expire", key, exc_info=True)

    def renew_all(self) -> None:
        """Renew every lease held now."""
        with self._lock:
            held = list(self._held.values())
        for lease in held:
            sent_at = self._clock()
            try:
                renewed = self._store.renew(lease.key, lease.owner, self._seconds)
            except Exception:
                # Not lost yet: the next round may come in time, and Lease.check watches the clock.
                LOG.warning("Could not renew the lease %s", lease.key, exc_info=True)
                continue
            if renewed:
                lease.extend(sent_at)
            elif self._is_held(lease):
                LOG.warning("The lease %s was lost", lease.key)
                lease.lose()

    def _is_held(self, lease: Lease) -> bool:
        with self._lock:
            return lease.owner in self._held

    def _renew_until_stopped(self) -> None:
        while not self._stop.wait(self._seconds / 3):
            self.renew_all()
