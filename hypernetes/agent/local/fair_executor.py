# SPDX-License-Identifier: Apache-2.0
"""Schedules requests: keeps one namespace from taking all threads, and ADD from delaying the other commands.

An ADD may hold its thread for as long as no conductor answers. STATUS decides whether the node is ready and DEL
whether a pod can end, so each kind has threads of its own, and a namespace has few ADDs at work at once.
"""

import threading
import time
from collections import Counter
from collections import deque
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass

from oslo_log import log

from hypernetes.conf import timeouts

LOG = log.getLogger(__name__)

ADDS_PER_NAMESPACE = 4
"""How many ADDs of one pod namespace run at the same time."""
PATIENCE_SECONDS = timeouts.ADD_TURN
"""How long a further ADD waits before it is refused and retried by kubelet, so that a burst of pods succeeds."""
MAX_WAITING = 256
STATUS_WORKERS = 2
# Apart from STATUS: a DEL waits for an ADD of the same sandbox in progress.
OTHER_WORKERS = 8


@dataclass(frozen=True, slots=True)
class Request:
    """One request: a function that does the work and one that refuses it. Neither raises."""

    work: Callable[[], None]
    refuse: Callable[[], None]
    since: float


class FairExecutor:
    """Assigns requests to threads. ``expire`` must be called periodically."""

    def __init__(self, workers: int) -> None:
        self._adds = futures.ThreadPoolExecutor(workers, thread_name_prefix="cni-add")
        self._status = futures.ThreadPoolExecutor(STATUS_WORKERS, thread_name_prefix="cni-status")
        self._others = futures.ThreadPoolExecutor(OTHER_WORKERS, thread_name_prefix="cni")
        self._lock = threading.Lock()
        self._working: Counter[str] = Counter()
        self._waiting: dict[str, deque[Request]] = {}

    def submit(self, command: str, namespace: str, work: Callable[[], None], refuse: Callable[[], None]) -> None:
        """Have ``work`` called by a thread for the command, or ``refuse`` if it waits for too long."""
        if command == "STATUS":
            self._status.submit(work)
        elif command == "ADD":
            self._submit_add(namespace, Request(work, refuse, time.monotonic()))
        else:
            self._others.submit(work)

    def expire(self) -> None:
        """Refuse the requests that have waited for too long."""
        self._refuse_before(time.monotonic() - PATIENCE_SECONDS)

    def close(self) -> None:
        """Refuse the waiting requests and finish those in progress."""
        self._refuse_before(float("inf"))
        for pool in (self._adds, self._status, self._others):
            pool.shutdown(wait=True)

    def _submit_add(self, namespace: str, request: Request) -> None:
        with self._lock:
            if self._working[namespace] < ADDS_PER_NAMESPACE:
                self._begin(namespace, request)
                return
            full = sum(map(len, self._waiting.values())) >= MAX_WAITING
            if not full:
                self._waiting.setdefault(namespace, deque()).append(request)
        if full:
            request.refuse()

    def _begin(self, namespace: str, request: Request) -> None:
        self._working[namespace] += 1
        self._adds.submit(self._carry_out, namespace, request)

    def _carry_out(self, namespace: str, request: Request) -> None:
        try:
            request.work()
        finally:
            with self._lock:
                self._end(namespace)

    def _end(self, namespace: str) -> None:
        self._working[namespace] -= 1
        if not self._working[namespace]:
            del self._working[namespace]
        queue = self._waiting.get(namespace)
        if queue:
            self._begin(namespace, queue.popleft())
        if not queue:
            self._waiting.pop(namespace, None)

    def _refuse_before(self, limit: float) -> None:
        late: list[tuple[str, Request]] = []
        with self._lock:
            for namespace, queue in list(self._waiting.items()):
                while queue and queue[0].since < limit:
                    late.append((namespace, queue.popleft()))
                if not queue:
                    del self._waiting[namespace]
        for namespace, request in late:
            LOG.warning("Namespace %s has more concurrent ADDs than it may have; refusing one", namespace)
            request.refuse()
