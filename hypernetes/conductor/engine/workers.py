# SPDX-License-Identifier: Apache-2.0
"""Threads that take keys from the queue, hold their leases and reconcile.

After a lost message, a killed conductor or an unforeseen error, the objects concerned are queued again by the listing
of the database every ``[conductor] resync_interval`` seconds.
"""

import random
import threading
from collections.abc import Mapping

from oslo_log import log

from hypernetes.conductor.engine import lease
from hypernetes.conductor.engine import outcome
from hypernetes.conductor.engine import work_queue
from hypernetes.rpc import request_context

LOG = log.getLogger(__name__)

_BUSY_SECONDS = 2.0
"""How long to leave an object alone on which another conductor works. It is reconciled again then, since the other may
have read the intent before it changed."""


class Engine:
    """Workers of one conductor.

    :param reconcilers: by kind.
    """

    def __init__(
        self,
        workers: int,
        queued: work_queue.WorkQueue[outcome.Key],
        leases: lease.Leases,
        reconcilers: Mapping[str, outcome.Reconciler],
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
        """Take no more keys and wait for the running steps, at most that many seconds in all."""
        self._queue.close()
        for thread in self._threads:
            thread.join(seconds / len(self._threads))

    def resync(self) -> None:
        """Add every object that is not settled, except those that wait for a retry."""
        for kind, reconciler in self._reconcilers.items():
            for identifier in reconciler.unsettled():
                self._queue.add_idle(outcome.Key(kind, identifier))

    def audit(self, within: float) -> None:
        """Add every settled object that is to be audited, spread over ``within`` seconds."""
        for kind, reconciler in self._reconcilers.items():
            for identifier in reconciler.audited():
                self._queue.add_after(outcome.Key(kind, identifier), random.uniform(0.1, within))  # noqa: S311

    def work(self, key: outcome.Key) -> None:
        """Reconcile one object and schedule its next run."""
        reconciler = self._reconcilers.get(key.kind)
        if reconciler is None:
            LOG.warning("No reconciler for %s", key)
            return
        try:
            with self._leases.hold(str(key)) as held:
                ended = reconciler.reconcile(key.id, held)
        except lease.Busy:
            self._queue.add_after(key, _BUSY_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311
            return
        except lease.LeaseLost:
            LOG.warning("The lease on %s was lost during the work", key)
            ended = outcome.Failed()
        except Exception:
            LOG.exception("Reconciling %s failed", key)
            ended = outcome.Failed()
        match ended:
            case outcome.Settled():
                self._queue.forget(key)
            case outcome.Again(after=seconds):
                self._queue.forget(key)
                self._queue.add_after(key, max(seconds, 0.1))
            case outcome.Failed():
                seconds = self._queue.add_failed(key)
                LOG.info("%s will be retried in %.1f s", key, seconds)

    def _work_until_closed(self) -> None:
        while (key := self._queue.get()) is not None:
            # The log lines of the work show the request that caused it, or an ID of their own.
            request_context.begin(self._queue.take_request(key))
            try:
                self.work(key)
            finally:
                self._queue.done(key)
