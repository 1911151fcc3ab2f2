# SPDX-License-Identifier: Apache-2.0
"""Where a fake lets the process under test die."""

import contextlib
from collections.abc import Iterator


class Killed(BaseException):
    """The process ends here, as by kill -9: nothing catches it."""


class Fate:
    """Decides at which call of a fake the process dies, and whether before or after the call had its effect."""

    def __init__(self) -> None:
        self.calls = 0
        self.dies_at: int | None = None
        self.after_effect = False

    @contextlib.contextmanager
    def decides(self) -> Iterator[None]:
        """Around each call of a fake."""
        number = self.calls
        self.calls += 1
        if self.dies_at == number and not self.after_effect:
            raise Killed
        yield
        if self.dies_at == number and self.after_effect:
            raise Killed
