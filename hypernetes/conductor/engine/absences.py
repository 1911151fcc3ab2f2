# SPDX-License-Identifier: Apache-2.0
"""Remembers what was not found, so that nothing irreversible is done because it was missing at one look."""

import threading
import time
from collections.abc import Callable

LOOKS = 2
"""What is gone was not found at so many looks in a row, whatever the time between them."""


class Absences:
    """Things that were missing at each look since a time. Safe for threads.

    It is kept in memory: after a restart the time begins again, so a restart can only delay a decision.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without any.

        :param seconds: how long a thing must be missing.
        :param clock: seconds that never go backwards.
        """
        self._seconds, self._clock = seconds, clock
        self._lock = threading.Lock()
        self._missing: dict[str, tuple[float, int]] = {}

    def missed(self, key: str) -> None:
        """Note a look at which a thing was not found."""
        with self._lock:
            since, looks = self._missing.get(key, (self._clock(), 0))
            self._missing[key] = since, looks + 1

    def found(self, key: str) -> None:
        """Note a look at which a thing was found, or which failed."""
        with self._lock:
            self._missing.pop(key, None)

    def retain(self, keys: set[str]) -> None:
        """Forget all other things."""
        with self._lock:
            self._missing = {key: seen for key, seen in self._missing.items() if key in keys}

    def is_confirmed(self, key: str) -> bool:
        """Return whether a thing has been missing for the whole time."""
        with self._lock:
            since, looks = self._missing.get(key, (0.0, 0))
            return looks >= LOOKS and self._clock() - since >= self._seconds
