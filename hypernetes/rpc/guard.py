# SPDX-License-Identifier: Apache-2.0
"""What a call from a node must fulfill before a conductor spends a thread on it.

A node's agent is untrusted. oslo.messaging by itself answers on whatever queue the caller names, starts a watchdog
thread before it looks for the method, keeps that thread forever if there is none, keeps a thread for an answer whose
queue does not exist, puts calls without limit into the line before its threads, and returns tracebacks. So:

1. The *sender* is the node on whose exchange RabbitMQ accepted the message: the broker attests it, since a node's user
   may write to no other exchange. RabbitMQ delivers a message with the exchange it was published to, also after
   bindings between exchanges.
2. :func:`problem` checks the form of the call and that its answer goes to the sender's own reply queue. What fails is
   dropped, without an answer and without a thread.
3. :class:`Lanes` bounds how many calls of one sender are in work and wait.
4. The token must be the sender's. Only then oslo.messaging dispatches.
"""

import contextlib
import re
import threading
import time
from collections import defaultdict
from collections import deque
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from oslo_log import log

from hypernetes.model import bus

LOG = log.getLogger(__name__)

WAITING = 100
"""Calls of one node that wait behind those in work; further ones are dropped, and an agent repeats them after its
timeout."""

_MONITOR_SECONDS = range(2, 121)
"""Accepted ``_timeout``: seconds after which a caller counts its receiver as lost. The watchdog's period is half of it,
and oslo.messaging refuses less than a second for that, with a line in the log for each call."""
_MESSAGE_ID = re.compile(r"[0-9a-f]{32}")
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})")
_REPORT_SECONDS = 10.0


def sender(incoming: Any) -> str | None:
    """Return the name of the node that sent a message, by the broker's word; None if no node did."""
    raw = getattr(incoming.message, "_raw_message", None)
    exchange = (getattr(raw, "delivery_info", None) or {}).get("exchange")
    return bus.node_of_exchange(exchange) if isinstance(exchange, str) else None


def problem(incoming: Any, node: str, methods: Mapping[str, object], version: str) -> str | None:
    """Return why a call is not acceptable, or None.

    :param node: the sender.
    :param methods: what may be called, by name.
    :param version: the newest version that the receiver speaks.
    """
    message = incoming.message
    arguments = message.get("args")
    checks = (
        ("is not a call", _is_match(_MESSAGE_ID, incoming.msg_id)),
        ("wants its answer on a queue that is not its sender's", bus.is_reply_queue(incoming.reply_q, node)),
        ("names an unknown method", isinstance(message.get("method"), str) and message["method"] in methods),
        ("has a namespace", message.get("namespace") is None),
        ("has another version", _is_compatible(message.get("version"), version)),
        ("has an unusable _timeout", incoming.client_timeout is None or _is_timeout(incoming.client_timeout)),
        ("has unusable arguments", isinstance(arguments, dict) and set(arguments) == {"message"}),
    )
    return next((what for what, fine in checks if not fine), None)


def _is_match(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_compatible(asked: object, offered: str) -> bool:
    if not isinstance(asked, str) or not _is_match(_VERSION, asked):
        return False
    (major, minor), (ours, newest) = (tuple(map(int, text.split("."))) for text in (asked, offered))
    return major == ours and minor <= newest


def _is_timeout(value: object) -> bool:
    # True is 1 to Python.
    return type(value) is int and value in _MONITOR_SECONDS


class Lanes:
    """Bounds the calls of each sender; one that sends too many waits for itself alone.

    :param submit: gives a call to a thread. Each one that was given must be followed by :meth:`done`.
    :param in_work: calls of one sender that have a thread at a time.
    :param waiting: calls of one sender that may wait behind those.
    """

    def __init__(self, submit: Callable[[Any], None], in_work: int, waiting: int = WAITING) -> None:
        self._submit = submit
        self._in_work_limit, self._waiting_limit = in_work, waiting
        self._lock = threading.Lock()
        self._in_work: dict[str, int] = defaultdict(int)
        self._waiting: dict[str, deque[Any]] = defaultdict(deque)

    def add(self, node: str, call: Any) -> bool:
        """Submit a call now or when the sender's turn comes; return False if too many of its calls wait."""
        with self._lock:
            if self._in_work[node] >= self._in_work_limit:
                if len(self._waiting[node]) >= self._waiting_limit:
                    return False
                self._waiting[node].append(call)
                return True
            self._in_work[node] += 1
        self._submit(call)
        return True

    def done(self, node: str) -> None:
        """Note that one of the sender's calls has ended, and submit the next one."""
        with self._lock:
            if self._waiting[node]:
                following = self._waiting[node].popleft()
            else:
                following = None
                del self._waiting[node]
                self._in_work[node] -= 1
                if self._in_work[node] == 0:
                    del self._in_work[node]
        if following is not None:
            with contextlib.suppress(RuntimeError):  # The threads are being stopped; the agent repeats its call.
                self._submit(following)


class DropLog:
    """Writes a line per sender and period about what was dropped, so that a sender cannot flood the log either."""

    def __init__(self, period: float = _REPORT_SECONDS) -> None:
        self._period = period
        self._counts: dict[str, int] = defaultdict(int)
        self._next: dict[str, float] = {}

    def add(self, node: str | None, reason: str) -> None:
        """Note a call that was dropped; to be used by one thread."""
        name = node or "an unknown sender"
        self._counts[name] += 1
        now = time.monotonic()
        if now >= self._next.get(name, 0.0):
            LOG.warning("Dropped %d calls of %s; the last one %s", self._counts.pop(name), name, reason)
            self._next[name] = now + self._period
