# SPDX-License-Identifier: Apache-2.0
"""The work queue: keys, each worked on by one thread at a time, with backoff between retries.

The rules are those of client-go's workqueue: a key added while it waits is one key; a key added while it is being
worked on is worked on again afterwards, so that no change is missed; a retry waits exponentially longer each time.
"""

import heapq
import itertools
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from collections.abc import Hashable
from typing import Generic
from typing import TypeVar

from hypernetes.rpc import request_context

K = TypeVar("K", bound=Hashable)


class Backoff(Generic[K]):
    """Computes the delay of a key's next retry: a random part, at least half, of ``base * 2**failures`` or ``limit``.

    :param base: seconds.
    :param limit: seconds.
    """

    def __init__(self, base: float, limit: float, chance: Callable[[], float] = random.random) -> None:
        self._base = base
        self._limit = limit
        self._chance = chance
        self._failures: dict[K, int] = {}
        self._lock = threading.Lock()

    def next(self, key: K) -> float:
        """Count a failure of ``key``; return the seconds until its retry."""
        with self._lock:
            failures = self._failures.get(key, 0)
            self._failures[key] = failures + 1
        # The exponent is bounded because a float overflows after a thousand failures.
        full = min(self._limit, self._base * 2.0 ** min(failures, 60))
        # Half of it is random, so that what failed together is not retried together.
        return full * (0.5 + self._chance() / 2)

    def forget(self, key: K) -> None:
        """Forget the failures of ``key``."""
        with self._lock:
            self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        """Return how often ``key`` has failed since it last succeeded."""
        with self._lock:
            return self._failures.get(key, 0)


class TokenBucket:
    """Allows at most ``burst`` at once and ``rate`` a second after that.

    :param clock: returns monotonic seconds.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._clock = clock
        self._tokens = float(burst)
        self._last = clock()
        self._lock = threading.Lock()

    def reserve(self) -> float:
        """Take a token, a future one if necessary; return the seconds until it is available."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._burst, self._tokens + (now - self._last) * self._rate)
            self._last = now
            self._tokens -= 1.0
            return max(0.0, -self._tokens / self._rate)


class WorkQueue(Generic[K]):
    """Holds the keys to work on. Safe for threads; every method returns at once except :meth:`get`."""

    def __init__(
        self,
        backoff: Backoff[K],
        bucket: TokenBucket,
        clock: Callable[[], float] = time.monotonic,
        current_request: Callable[[], str | None] = request_context.current_id,
    ) -> None:
        self._backoff = backoff
        self._bucket = bucket
        self._clock = clock
        self._current_request = current_request
        self._changed = threading.Condition()
        self._ready: deque[K] = deque()
        self._wanted: set[K] = set()
        """Keys that are to be worked on: waiting in ``_ready``, or to be put there when their worker is done."""
        self._running: set[K] = set()
        self._later: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}
        """For each key in ``_later`` its current time; other entries of the heap are obsolete."""
        self._order = itertools.count()
        self._requests: dict[K, str] = {}
        """For keys that wait, the ID of the request that added them last."""
        self._closed = False

    def add(self, key: K) -> None:
        """Have ``key`` worked on as soon as a worker is free, regardless of its delay."""
        with self._changed:
            request_id = self._current_request()
            if request_id is not None:
                self._requests[key] = request_id
            self._due.pop(key, None)
            self._want(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Have ``key`` worked on in that many seconds, or earlier if that was requested before."""
        if seconds <= 0:
            self.add(key)
            return
        with self._changed:
            if self._closed:
                return
            moment = self._clock() + seconds
            if self._due.get(key, float("inf")) <= moment:
                return
            request_id = self._current_request()
            if request_id is not None:
                # Of a retry: a request that has added the key during the work is newer.
                self._requests.setdefault(key, request_id)
            self._due[key] = moment
            heapq.heappush(self._later, (moment, next(self._order), key))
            self._changed.notify_all()

    def add_idle(self, key: K) -> None:
        """Have ``key`` worked on unless it is in the queue already, a scheduled retry included."""
        with self._changed:
            if key not in self._due and key not in self._running:
                self._want(key)

    def add_failed(self, key: K) -> float:
        """Schedule a retry of ``key`` after its backoff and the queue's rate; return the seconds until then."""
        seconds = self._backoff.next(key) + self._bucket.reserve()
        self.add_after(key, seconds)
        return seconds

    def forget(self, key: K) -> None:
        """Reset the backoff of ``key``, which succeeded."""
        self._backoff.forget(key)

    def failures(self, key: K) -> int:
        """Return how often ``key`` has failed since it last succeeded."""
        return self._backoff.failures(key)

    def get(self) -> K | None:
        """Wait for a key and take it; None once the queue is closed. The caller must call :meth:`done`."""
        with self._changed:
            while True:
                if self._closed:
                    return None
                self._promote()
                if self._ready:
                    key = self._ready.popleft()
                    self._wanted.discard(key)
                    self._running.add(key)
                    return key
                self._changed.wait(self._until_next())

    def take_request(self, key: K) -> str | None:
        """Return the ID of the request for which a key from :meth:`get` is worked on, if any, and forget it."""
        with self._changed:
            return self._requests.pop(key, None)

    def done(self, key: K) -> None:
        """Report that the worker has finished with ``key``; if it was added meanwhile it is ready again."""
        with self._changed:
            self._running.discard(key)
            if key in self._wanted:
                self._ready.append(key)
                self._changed.notify()

    def close(self) -> None:
        """Wake every worker with None and accept no more keys."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        """Return how many keys are ready or scheduled."""
        with self._changed:
            return len(self._wanted) + len(self._due)

    def _want(self, key: K) -> None:
        if self._closed or key in self._wanted:
            return
        self._wanted.add(key)
        if key not in self._running:
            self._ready.append(key)
            self._changed.notify()

    def _promote(self) -> None:
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            moment, _, key = heapq.heappop(self._later)
            if self._due.get(key) == moment:
                del self._due[key]
                self._want(key)

    def _until_next(self) -> float | None:
        return max(0.0, self._later[0][0] - self._clock()) if self._later else None
