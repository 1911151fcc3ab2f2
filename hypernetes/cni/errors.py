# SPDX-License-Identifier: Apache-2.0
"""Error codes of the CNI specification 1.1 (section "Error"); those above 99 are specific to Hypernetes."""

INCOMPATIBLE_VERSION = 1
UNKNOWN_CONTAINER = 3
INVALID_ENVIRONMENT = 4
DECODING_FAILURE = 6
INVALID_CONFIGURATION = 7
TRY_AGAIN_LATER = 11
NOT_AVAILABLE = 50
REFUSED = 100
"""The agent or the conductor refused: the pod does not exist as claimed, or its namespace has no network."""


class CniError(Exception):
    """An error that is printed instead of a result. ``details`` may be empty."""

    def __init__(self, code: int, message: str, details: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details
