# SPDX-License-Identifier: Apache-2.0
"""Errors across the wire: code and facts travel, classes and tracebacks do not."""

import inspect
from collections.abc import Iterator
from typing import Any

from hypernetes.model import errors


class RemoteFailure(errors.HypernetesError):
    """The receiver failed in a way that it explains in its log only."""

    status = 500
    code = "hypernetes.remote.failed"
    template = "The call {method} failed at its receiver."
    remedy = "The call is retried automatically; the receiver's log has the cause."


def _classes() -> Iterator[type[errors.HypernetesError]]:
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, errors.HypernetesError):
            yield kind


_BY_CODE = {kind.code: kind for kind in _classes()}


def encode(error: errors.HypernetesError) -> dict[str, Any]:
    """Return what is sent instead of an answer."""
    return {"code": error.code, "facts": {name: str(value) for name, value in error.facts.items()}}


def decode(data: object, method: str) -> errors.HypernetesError:
    """Return the error that ``data`` stands for; :class:`RemoteFailure` for an unknown one."""
    if isinstance(data, dict):
        kind = _BY_CODE.get(data.get("code", ""))
        facts = data.get("facts")
        if kind is not None and isinstance(facts, dict):
            try:
                return kind(**facts)
            except (KeyError, IndexError, TypeError):
                pass
    return RemoteFailure(method=method)
