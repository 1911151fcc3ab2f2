# SPDX-License-Identifier: Apache-2.0
"""The request ID that each message carries and each log line of its work shows.

oslo.context keeps the current context in a thread-local variable, from which oslo.log's formatter reads it. A thread
that serves one piece of work after another begins each with :func:`begin`.
"""

import re
from collections.abc import Mapping

from oslo_context import context

_REQUEST_ID = re.compile(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FIELD = "request_id"


def begin(request_id: str | None = None) -> str:
    """Make this thread work for a request from now on.

    :param request_id: the ID that came with the work; None generates one.
    :returns: the request ID in force.
    """
    current: str = context.RequestContext(request_id=request_id, overwrite=True).request_id
    return current


def current_id() -> str | None:
    """Return the ID of the request that this thread works for, if any."""
    current = context.get_current()
    return None if current is None else current.request_id


def to_send() -> dict[str, str]:
    """Return the context of a message sent now; work without a request gets an ID of its own."""
    return {_FIELD: current_id() or context.generate_request_id()}


def begin_received(received: Mapping[str, object]) -> str:
    """Make this thread work for the request of a received message.

    The sender may be a hostile node: nothing but an ID of the usual form is taken from it, and nothing but log lines
    may depend on it.

    :returns: the request ID in force.
    """
    request_id = received.get(_FIELD)
    proper = isinstance(request_id, str) and _REQUEST_ID.fullmatch(request_id) is not None
    return begin(request_id if proper else None)  # type: ignore[arg-type]
