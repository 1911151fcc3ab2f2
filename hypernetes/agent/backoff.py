# SPDX-License-Identifier: Apache-2.0
"""Growing pauses between tries, different on every node, so that a service that comes back is not overrun."""

import random


class Backoff:
    """A sequence of pauses in seconds: each up to twice the last, never above the limit, at least half of it random."""

    def __init__(self, first: float, limit: float) -> None:
        self._first = first
        self._limit = limit
        self._next = first

    def next(self) -> float:
        """The pause before the next try."""
        pause = min(self._next, self._limit)
        self._next = min(self._next * 2, self._limit)
        # Equal jitter; predictability is no risk here.
        return pause / 2 + random.uniform(0, pause / 2)  # noqa: S311

    def reset(self) -> None:
        """Begin anew after a success."""
        self._next = self._first
