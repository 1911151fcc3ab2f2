# SPDX-License-Identifier: Apache-2.0
"""How many ready ports a pool keeps. No I/O."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """The operator's limits of one pool."""

    minimum: int
    maximum: int

    @property
    def enabled(self) -> bool:
        """Return whether there are pools at all."""
        return self.minimum > 0


def after_use(size: int, bounds: Bounds, *, missed: bool) -> int:
    """Return a pool's size after a pod has needed a port.

    A pool that was found empty doubles: the pods of one Deployment arrive together.

    :param size: the size before; 0 for a new pool.
    :param missed: whether the pod found no ready port.
    """
    wanted = size * 2 if missed and size else size
    return max(bounds.minimum, min(wanted, bounds.maximum))


def missing(size: int, present: int, room: int, batch: int) -> int:
    """Return how many ports to create now.

    :param present: number of ports that the pool has.
    :param room: how many ready ports the project may still get.
    """
    return max(0, min(size - present, room, batch))
