# SPDX-License-Identifier: Apache-2.0
"""Threads that take keys from the queue, hold their leases and reconcile; and clocks that fill the queue.

A message that is lost, a conductor that is killed, an error that nobody foresaw: the objects concerned come up again
by the look at the database every ``[conductor] resync_interval`` seconds.
"""

import random
import threading
from collections.abc import Callable
from collections.abc import Mapping

from oslo_log import log

from hypernetes.conductor import lease
from hypernetes.conductor import queue
from hypernetes.conductor import work

LOG = log.getLogger(__name__)

_BUSY_SECONDS = 2.0
"""How long to leave an object alone on which another conductor works. It must be looked at again, since the other may
have read the intent before it changed."""


class Engine:
    """Workers of one conductor.

    :param reconcilers: by kind.
    """

    def __init__(
        self,
        workers: int,
        queued: queue.WorkQueue[work.Key],
        leases: lease.Leases,
        reconcilers: Mapping[str, work.Reconciler],
    ) -> None:
        self._queue = queued
        self._leases = leases
        self._reconcilers = reconcilers
        self._threads = [
            threading.Thread(target=self._work_until_closed, name=f"worker-{number}", daemon=True)
            for number in range(workers)
        ]

    def start(self) -> None:
        """Start the workers."""
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float) -> None:
        """Take no more keys and wait for the running steps, for that long altogether at most."""
        self._queue.close()
        for thread in self._threads:
            thread.join(seconds / len(self._threads))

    def resync(self) -> None:
        """Add every object that is not settled, except those that wait for their next try anyway."""
        for kind, reconciler in self._reconcilers.items():
            for identifier in reconciler.unsettled():
                self._queue.add_idle(work.Key(kind, identifier))

    def audit(self, within: float) -> None:
        """Add every settled object that is to be looked at, spread over ``within`` seconds."""
        for kind, reconciler in self._reconcilers.items():
            for identifier in reconciler.audited():
                self._queue.add_after(work.Key(kind, identifier), random.uniform(0.1, within))  # noqa: S311

    def work(self, key: work.Key) -> None:
        """Reconcile one object and say when it is to be looked at again."""
        reconciler = self._reconcilers.get(key.kind)
        if reconciler is None:
            LOG.warning("Nothing is known about reconciling %s", key)
            return
        try:
            with self._leases.hold(str(key)) as held:
                outcome = reconciler.reconcile(key.id, held)
        except lease.Busy:
            self._queue.add_after(key, _BUSY_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311
            return
        except lease.LeaseLost:
            LOG.warning("The lease on %s was lost in the middle of the work", key)
            outcome = work.Failed()
        except Exception:
            LOG.exception("Reconciling %s failed", key)
            outcome = work.Failed()
        match outcome:
            case work.Settled():
                self._queue.forget(key)
            case work.Again(after=seconds):
                self._queue.forget(key)
                self._queue.add_after(key, max(seconds, 0.1))
            case work.Failed():
                seconds = self._queue.add_failed(key)
                LOG.info("%s is tried again in %.1f s", key, seconds)

    def _work_until_closed(self) -> None:
        while (key := self._queue.get()) is not None:
            try:
                self.work(key)
            finally:
                self._queue.done(key)


class Clock:
    """Does something every so many seconds, in a thread of its own; an error is logged and the next time comes."""

    def __init__(self, name: str, seconds: float, action: Callable[[], None], *, at_once: bool = False) -> None:
        self._seconds = seconds
        self._action = action
        self._at_once = at_once
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """End it; wait for a running action that long."""
        self._stop.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        pause = 0.0 if self._at_once else self._seconds
        # A tenth by chance: several conductors started together must not ask the database together for ever.
        while not self._stop.wait(pause):
            try:
                self._action()
            except Exception:
                LOG.exception("%s failed; it is tried again in %g s", self._thread.name, self._seconds)
            pause = self._seconds * random.uniform(0.9, 1.1)  # noqa: S311
