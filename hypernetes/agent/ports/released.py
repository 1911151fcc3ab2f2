# SPDX-License-Identifier: Apache-2.0
"""The sandboxes whose port the conductor has released, so that a repeated DEL costs nothing.

kubelet and containerd send a DEL two or three times for each sandbox (StopPodSandbox, RemovePodSandbox, garbage
collection). The set is lost when the agent restarts: the next DEL then releases the port again, which is harmless.
"""

import threading
from collections import OrderedDict

MAX_SANDBOXES = 16384
"""How many sandboxes are remembered; beyond it the oldest are forgotten."""


class ReleasedSandboxes:
    """A bounded set of sandbox IDs; safe to use from several threads."""

    def __init__(self, limit: int = MAX_SANDBOXES) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._sandboxes: OrderedDict[str, None] = OrderedDict()

    def add(self, sandbox_id: str) -> None:
        """Remember that the conductor has released the sandbox's port."""
        with self._lock:
            self._sandboxes[sandbox_id] = None
            self._sandboxes.move_to_end(sandbox_id)
            while len(self._sandboxes) > self._limit:
                self._sandboxes.popitem(last=False)

    def discard(self, sandbox_id: str) -> None:
        """Forget the sandbox: its port may exist again."""
        with self._lock:
            self._sandboxes.pop(sandbox_id, None)

    def __contains__(self, sandbox_id: str) -> bool:
        with self._lock:
            return sandbox_id in self._sandboxes
