# SPDX-License-Identifier: Apache-2.0
"""Lines of ready keys, one per project, which are served in turn.

Without them the objects of one project would wait behind all of another's.
"""

import collections
import threading
from collections.abc import Callable
from collections.abc import Hashable
from collections.abc import Mapping
from typing import Generic
from typing import TypeVar

import cachetools
from oslo_log import log

from hypernetes.conductor.engine import outcome
from hypernetes.model import errors

LOG = log.getLogger(__name__)

K = TypeVar("K", bound=Hashable)

OPERATOR = ""
"""The line of objects that belong to no project: clusters and nodes."""

_KEPT_OWNERS = 50_000


class ReadyLines(Generic[K]):
    """Keys that wait for a worker. Not safe for threads.

    :param at_once: how many keys of a project may be worked on at the same time; the operator's line has no limit.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._lines: collections.OrderedDict[str, collections.deque[K]] = collections.OrderedDict()
        self._running: collections.Counter[str] = collections.Counter()

    def append(self, key: K, line: str) -> None:
        """Put a key at the end of a line; a new line is served last."""
        self._lines.setdefault(line, collections.deque()).append(key)

    def take(self) -> tuple[K, str] | None:
        """Take the first key of the next line that may have another worker, and count the worker.

        :returns: the key and its line; None if no line has a key that may be worked on now.
        """
        line = next((line for line in self._lines if self._may_have_another(line)), None)
        if line is None:
            return None
        keys = self._lines[line]
        key = keys.popleft()
        if keys:
            self._lines.move_to_end(line)
        else:
            del self._lines[line]
        self._running[line] += 1
        return key, line

    def done(self, line: str) -> None:
        """Count one worker of the line less."""
        self._running[line] -= 1
        if self._running[line] <= 0:
            del self._running[line]

    def _may_have_another(self, line: str) -> bool:
        return line == OPERATOR or self._running[line] < self._at_once


class Owners:
    """Finds the line of a key: the ID of the project that its object belongs to. Safe for threads.

    :param lookups: by kind, how to find the project of an object; a kind that is missing is the operator's.
    """

    def __init__(self, lookups: Mapping[str, Callable[[str], str]]) -> None:
        self._lookups = lookups
        self._lock = threading.Lock()
        # An object never changes its project.
        self._known: cachetools.LRUCache[outcome.Key, str] = cachetools.LRUCache(_KEPT_OWNERS)

    def __call__(self, key: outcome.Key) -> str:
        """Return the line of the key; the operator's if the object is gone or the database does not answer."""
        lookup = self._lookups.get(key.kind)
        if lookup is None:
            return OPERATOR
        with self._lock:
            known = self._known.get(key)
        if known is not None:
            return known
        try:
            found = lookup(key.id)
        except errors.HypernetesError as error:
            LOG.debug("No project is known for %s: %s", key, error)
            return OPERATOR
        with self._lock:
            self._known[key] = found
        return found
