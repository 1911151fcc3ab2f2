# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.conductor.ports.pool_size."""

import testtools

from hypernetes.conductor.ports import pool_size

BOUNDS = pool_size.Bounds(minimum=1, maximum=8)


class PoolSizeTest(testtools.TestCase):
    def test_a_pool_that_is_found_empty_doubles_up_to_the_maximum(self) -> None:
        sizes = [0]
        for _ in range(6):
            sizes.append(pool_size.after_use(sizes[-1], BOUNDS, missed=True))
        self.assertEqual([0, 1, 2, 4, 8, 8, 8], sizes)

    def test_a_pool_that_serves_keeps_its_size(self) -> None:
        self.assertEqual(2, pool_size.after_use(2, BOUNDS, missed=False))

    def test_lower_limits_apply_to_a_pool_that_was_larger(self) -> None:
        self.assertEqual(2, pool_size.after_use(8, pool_size.Bounds(1, 2), missed=False))

    def test_no_more_is_missing_than_a_batch_and_the_project_allow(self) -> None:
        for size, present, room, batch, expected in (
            (8, 2, 50, 4, 4),
            (8, 6, 50, 4, 2),
            (8, 2, 1, 4, 1),
            (8, 2, -3, 4, 0),
            (2, 8, 50, 4, 0),
        ):
            self.assertEqual(expected, pool_size.missing(size, present, room, batch))
