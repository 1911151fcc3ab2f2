# SPDX-License-Identifier: Apache-2.0
"""Schedules requests: keeps one project from taking all threads, and ADD from delaying the other commands.

An ADD may hold its thread for as long as no conductor answers, or until OVN has installed the flows of a port that its
tenant has deleted meanwhile. STATUS decides whether the node is ready and DEL whether a pod can end, so each kind has
threads of its own; a namespace has few ADDs at work at once, and a project at most half of the threads.
"""

import threading
import time
from collections import Counter
from collections import deque
from collections import OrderedDict
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
    """Assigns requests to threads. ``expire`` must be called periodically.

    :param project_of: returns the project of a namespace.
    """

    def __init__(self, workers: int, project_of: Callable[[str], str] = lambda namespace: namespace) -> None:
        self._adds = futures.ThreadPoolExecutor(workers, thread_name_prefix="cni-add")
        self._status = futures.ThreadPoolExecutor(STATUS_WORKERS, thread_name_prefix="cni-status")
        self._others = futures.ThreadPoolExecutor(OTHER_WORKERS, thread_name_prefix="cni")
        self._project_of = project_of
        self._adds_per_project = max(workers // 2, 1)
        self._lock = threading.Lock()
        self._working: Counter[str] = Counter()
        self._working_projects: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[Request]] = OrderedDict()

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
            if namespace not in self._waiting and self._may_begin(namespace):
                self._begin(namespace, request)
                return
            full = sum(map(len, self._waiting.values())) >= MAX_WAITING
            if not full:
                self._waiting.setdefault(namespace, deque()).append(request)
        if full:
            request.refuse()

    def _may_begin(self, namespace: str) -> bool:
        project = self._project_of(namespace)
        in_project = self._working_projects[project]
        return self._working[namespace] < ADDS_PER_NAMESPACE and in_project < self._adds_per_project

    def _begin(self, namespace: str, request: Request) -> None:
        # The project may become known during the work: what is counted for one is taken off the same.
        project = self._project_of(namespace)
        self._working[namespace] += 1
        self._working_projects[project] += 1
        self._adds.submit(self._carry_out, namespace, project, request)

    def _carry_out(self, namespace: str, project: str, request: Request) -> None:
        try:
            request.work()
        finally:
            with self._lock:
                self._end(namespace, project)

    def _end(self, namespace: str, project: str) -> None:
        for counter, name in ((self._working, namespace), (self._working_projects, project)):
            counter[name] -= 1
            if not counter[name]:
                del counter[name]
        for waiting in [name for name in self._waiting if self._may_begin(name)]:
            # Namespaces take turns. Checked again, since each one that begins counts for its project.
            queue = self._waiting[waiting]
            if self._may_begin(waiting):
                self._begin(waiting, queue.popleft())
                self._waiting.move_to_end(waiting)
            if not queue:
                del self._waiting[waiting]

    def _refuse_before(self, limit: float) -> None:
        late: list[tuple[str, Request]] = []
        with self._lock:
            for namespace, queue in list(self._waiting.items()):
                while queue and queue[0].since < limit:
                    late.append((namespace, queue.popleft()))
                if not queue:
                    del self._waiting[namespace]
        for namespace, request in late:
            LOG.warning("Namespace %s or its project has more concurrent ADDs than allowed; refusing one", namespace)
            request.refuse()
