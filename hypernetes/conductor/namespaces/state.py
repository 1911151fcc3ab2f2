# SPDX-License-Identifier: Apache-2.0
"""What an earlier step must have recorded before a later one can run."""

from typing import TypeVar

from hypernetes.conductor.engine import outcome

T = TypeVar("T")


def present(value: T | None) -> T:
    """Return what an earlier step has recorded.

    :raises outcome.Waiting: it was deleted between the steps; the next run begins with what is missing.
    """
    if value is None:
        raise outcome.Waiting("A resource created earlier is missing; recreating it.", 1.0)
    return value
