# SPDX-License-Identifier: Apache-2.0
"""How many tests passed and failed, and what the reader sees meanwhile."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Count:
    """How many tests passed and failed."""

    passed: int
    failed: int

    def __add__(self, other: "Count") -> "Count":
        return Count(self.passed + other.passed, self.failed + other.failed)


NONE = Count(0, 0)
PASSED = Count(1, 0)
FAILED = Count(0, 1)


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)
