# SPDX-License-Identifier: Apache-2.0
"""Bounds how many calls for ports one node may have in progress, so that a broken node does not hold every thread.

A call may wait ``[conductor] allocate_wait`` for another one for the same sandbox, which a node can ask for at will.
"""

import collections
import contextlib
import threading
from collections.abc import Iterator

from hypernetes.model import errors
from hypernetes.model import records


class NodeTurns:
    """Counts the calls in progress by node. Safe for threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._calls: collections.Counter[str] = collections.Counter()

    @contextlib.contextmanager
    def take(self, node: records.Node) -> Iterator[None]:
        """Count a call for the duration of the block.

        :raises errors.Unavailable: when the node has as many calls in progress as it may have.
        """
        with self._lock:
            if self._calls[node.id] >= self._limit:
                reason = f"it processes {self._limit} requests of the node {node.name} already"
                raise errors.Unavailable(service="The conductor", reason=reason)
            self._calls[node.id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._calls[node.id] -= 1
                if not self._calls[node.id]:
                    del self._calls[node.id]
