# SPDX-License-Identifier: Apache-2.0
"""Runs validations at Keystone in two lanes, so that unknown tokens cannot keep known ones waiting.

A lane has its own workers and a bound on what waits for them; whatever is more is refused at once. The validation of
one token runs once, however many requests ask for it at the same time.
"""

import threading
from collections.abc import Callable
from concurrent import futures
from typing import Generic
from typing import TypeVar

T = TypeVar("T")


class LaneFull(Exception):
    """The lane runs as many validations as it may."""


class Lane(Generic[T]):
    """A number of workers. Safe for threads."""

    def __init__(self, name: str, workers: int, waiting: int = 0) -> None:
        """Make the lane; its threads start when they are needed.

        :param workers: validations that run at the same time.
        :param waiting: validations that may wait for a worker.
        """
        self._executor = futures.ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._free = threading.BoundedSemaphore(workers + waiting)
        self._lock = threading.Lock()
        self._running: dict[str, futures.Future[T]] = {}

    def run(self, key: str, call: Callable[[], T]) -> "futures.Future[T]":
        """Return the result of ``call`` to come, or that of the call in progress for the same key.

        :raises LaneFull: when all workers are busy and no more calls may wait.
        """
        with self._lock:
            running = self._running.get(key)
            if running is not None:
                return running
            if not self._free.acquire(blocking=False):
                raise LaneFull
            started = self._running[key] = self._executor.submit(self._call, key, call)
            return started

    def _call(self, key: str, call: Callable[[], T]) -> T:
        try:
            return call()
        finally:
            # Before the result is there, so that its caller finds the lane free.
            with self._lock:
                del self._running[key]
            self._free.release()
