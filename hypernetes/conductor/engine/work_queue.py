# SPDX-License-Identifier: Apache-2.0
"""The work queue: keys, each worked on by one thread at a time, with backoff between retries.

The rules are those of client-go's workqueue: a key added while it waits is one key; a key added while it is being
worked on is worked on again afterwards, so that no change is missed; a retry waits exponentially longer each time.
Unlike there, projects are served in turn, and each has a rate of retries of its own.
"""

import heapq
import itertools
import random
import threading
import time
from collections.abc import Callable
from collections.abc import Hashable
from typing import Generic
from typing import TypeVar

import cachetools

from hypernetes.conductor.engine import lines
from hypernetes.rpc import request_context

K = TypeVar("K", bound=Hashable)

_KEPT_BUCKETS = 10_000
"""Token buckets kept; the project whose last retry is the longest ago begins with a full one again."""


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
    """Holds the keys to work on. Safe for threads; every method returns at once except :meth:`get`.

    :param bucket: makes the token bucket of a line's retries.
    :param line: returns the line of a key. It is called without the queue's lock and may read the database.
    :param at_once: how many keys of a line may be worked on at the same time.
    """

    def __init__(
        self,
        backoff: Backoff[K],
        bucket: Callable[[], TokenBucket],
        *,
        line: Callable[[K], str] = lambda _key: lines.OPERATOR,
        at_once: int = 1,
        clock: Callable[[], float] = time.monotonic,
        current_request: Callable[[], str | None] = request_context.current_id,
    ) -> None:
        self._backoff = backoff
        self._bucket = bucket
        self._line = line
        self._clock = clock
        self._current_request = current_request
        self._changed = threading.Condition()
        self._buckets: cachetools.LRUCache[str, TokenBucket] = cachetools.LRUCache(_KEPT_BUCKETS)
        self._ready: lines.ReadyLines[K] = lines.ReadyLines(at_once)
        self._wanted: dict[K, str] = {}
        """Keys that are to be worked on, with their lines: in ``_ready``, or to be put there when their worker is
        done."""
        self._running: dict[K, str] = {}
        self._later: list[tuple[float, int, K, str]] = []
        self._due: dict[K, float] = {}
        """For each key in ``_later`` its current time; other entries of the heap are obsolete."""
        self._order = itertools.count()
        self._requests: dict[K, str] = {}
        """For keys that wait, the ID of the request that added them last."""
        self._closed = False

    def add(self, key: K) -> None:
        """Have ``key`` worked on as soon as a worker is free, regardless of its delay."""
        line = self._line(key)
        with self._changed:
            request_id = self._current_request()
            if request_id is not None:
                self._requests[key] = request_id
            self._due.pop(key, None)
            self._want(key, line)

    def add_after(self, key: K, seconds: float) -> None:
        """Have ``key`` worked on in that many seconds, or earlier if that was requested before."""
        if seconds <= 0:
            self.add(key)
            return
        line = self._line(key)
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
            heapq.heappush(self._later, (moment, next(self._order), key, line))
            self._changed.notify_all()

    def add_idle(self, key: K) -> None:
        """Have ``key`` worked on unless it is in the queue already, a scheduled retry included."""
        line = self._line(key)
        with self._changed:
            if key not in self._due and key not in self._running:
                self._want(key, line)

    def add_failed(self, key: K) -> float:
        """Schedule a retry of ``key`` after its backoff and its line's rate; return the seconds until then."""
        line = self._line(key)
        with self._changed:
            bucket = self._buckets.get(line)
            if bucket is None:
                bucket = self._buckets[line] = self._bucket()
        seconds = self._backoff.next(key) + bucket.reserve()
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
                taken = self._ready.take()
                if taken is not None:
                    key, line = taken
                    self._wanted.pop(key, None)
                    self._running[key] = line
                    return key
                self._changed.wait(self._until_next())

    def take_request(self, key: K) -> str | None:
        """Return the ID of the request for which a key from :meth:`get` is worked on, if any, and forget it."""
        with self._changed:
            return self._requests.pop(key, None)

    def done(self, key: K) -> None:
        """Report that the worker has finished with ``key``; if it was added meanwhile it is ready again."""
        with self._changed:
            self._ready.done(self._running.pop(key))
            if key in self._wanted:
                self._ready.append(key, self._wanted[key])
            # In any case: the line may have another worker now.
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

    def _want(self, key: K, line: str) -> None:
        if self._closed or key in self._wanted:
            return
        self._wanted[key] = line
        if key not in self._running:
            self._ready.append(key, line)
            self._changed.notify()

    def _promote(self) -> None:
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            moment, _, key, line = heapq.heappop(self._later)
            if self._due.get(key) == moment:
                del self._due[key]
                self._want(key, line)

    def _until_next(self) -> float | None:
        return max(0.0, self._later[0][0] - self._clock()) if self._later else None
