# SPDX-License-Identifier: Apache-2.0
"""Actions that run at an interval."""

import random
import threading
from collections.abc import Callable

from oslo_log import log

LOG = log.getLogger(__name__)


class PeriodicTask:
    """Runs an action at an interval, in a thread of its own; an error is logged and the next run comes."""

    def __init__(self, name: str, seconds: float, action: Callable[[], None], *, at_once: bool = False) -> None:
        self._seconds = seconds
        self._action = action
        self._at_once = at_once
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Stop it; wait for a running action that many seconds."""
        self._stop.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        pause = 0.0 if self._at_once else self._seconds
        # A tenth is random: conductors that were started together must not query the database together forever.
        while not self._stop.wait(pause):
            try:
                self._action()
            except Exception:
                LOG.exception("%s failed; the next run is in %g s", self._thread.name, self._seconds)
            pause = self._seconds * random.uniform(0.9, 1.1)  # noqa: S311
