# SPDX-License-Identifier: Apache-2.0
"""Retries with growing pauses that differ on every node, so that a service that comes back is not overrun."""

import random
import threading

import tenacity
from tenacity import wait


def pauses(first: float, limit: float) -> wait.wait_base:
    """Return pauses in seconds that double from ``first`` up to ``limit``; up to half of each is random.

    This is "equal jitter": a pause is never so short that many nodes retry at once.
    """
    half = {"multiplier": first / 2, "max": limit / 2}
    return wait.wait_exponential(**half) + wait.wait_random_exponential(**half)


def jittered(pause: float) -> float:
    """Return a pause in seconds of which up to half is random."""
    return pause / 2 + random.uniform(0, pause / 2)  # noqa: S311 - not a secret


def until_stopped(stop: threading.Event, first: float, limit: float) -> tenacity.Retrying:
    """Return an iterator of attempts that ends with the first success, or when ``stop`` is set.

    A failure is an exception or, for :meth:`tenacity.Retrying.__call__`, a false result.

    :raises tenacity.RetryError: when ``stop`` is set before an attempt has succeeded.
    """
    return tenacity.Retrying(
        wait=pauses(first, limit), stop=tenacity.stop_when_event_set(stop), sleep=tenacity.sleep_using_event(stop)
    )
