# SPDX-License-Identifier: Apache-2.0
"""Remembers answers for seconds, so that a busy kubectl does not ask Keystone for each request."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic
from typing import TypeVar

T = TypeVar("T")


class Cache(Generic[T]):
    """Bounded in time and in number; the oldest entry goes first. Safe to use from many threads."""

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
        """What was put under ``key``, unless its time is over."""
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
        """Remember ``value`` for ``seconds``; none or fewer forgets it at once."""
        with self._lock:
            self._entries.pop(key, None)
            if seconds <= 0:
                return
            self._entries[key] = (self._clock() + seconds, value)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def __len__(self) -> int:
        return len(self._entries)
