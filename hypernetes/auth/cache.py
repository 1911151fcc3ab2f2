# SPDX-License-Identifier: Apache-2.0
"""Caches validations for seconds, so that a busy kubectl does not cause a request to Keystone each time."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic
from typing import TypeVar

T = TypeVar("T")


class Cache(Generic[T]):
    """A cache bounded in time and size; the oldest entry is dropped first. Safe for threads."""

    def __init__(self, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Make an empty cache.

        :param size: entries at most.
        :param clock: seconds that never go backwards.
        """
        self._size = size
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[float, T]] = OrderedDict()

    def get(self, key: str) -> T | None:
        """Return the value of ``key``, or None if there is none or it has expired."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            ends, value = entry
            if ends <= self._clock():
                del self._entries[key]
                return None
            return value

    def put(self, key: str, value: T, seconds: float) -> None:
        """Keep ``value`` for ``seconds``; with 0 or less, remove it."""
        with self._lock:
            self._entries.pop(key, None)
            if seconds <= 0:
                return
            self._entries[key] = (self._clock() + seconds, value)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def drop(self, key: str) -> None:
        """Remove ``key``, if it is there."""
        with self._lock:
            self._entries.pop(key, None)

    def __len__(self) -> int:
        return len(self._entries)
