# SPDX-License-Identifier: Apache-2.0
"""Errors that the agent returns to the CNI executable, and the translation of its own errors into them.

The codes are those of the CNI specification 1.1 (section "Error"); those above 99 are specific to Hypernetes.
:mod:`hypernetes.cni.errors` has the same numbers: it imports the standard library only, so a test compares the two.
"""

from typing import Any

from hypernetes.agent.ports import driver as drivers
from hypernetes.model import errors

UNKNOWN_CONTAINER = 3
DECODING_FAILURE = 6
TRY_AGAIN_LATER = 11
NOT_AVAILABLE = 50
REFUSED = 100


class CniRefusal(Exception):
    """A request that is answered with an error; ``details`` may be empty."""

    def __init__(self, code: int, message: str, details: str = "") -> None:
        super().__init__(message)
        self.answer: dict[str, Any] = {"error": {"code": code, "message": message, "details": details}}


def malformed(message: str) -> CniRefusal:
    """Return the refusal of a request that cannot be decoded."""
    return CniRefusal(DECODING_FAILURE, message)


def translate(error: errors.HypernetesError | drivers.PlugFailed) -> CniRefusal:
    """Return what the runtime is answered when a request fails with ``error``.

    containerd prints the message and the details one after the other, so the details must not repeat the message.
    """
    if isinstance(error, drivers.PlugFailed):
        return CniRefusal(TRY_AGAIN_LATER, str(error))
    code = TRY_AGAIN_LATER if isinstance(error, errors.Unavailable) else REFUSED
    return CniRefusal(code, error.message, error.advice)
