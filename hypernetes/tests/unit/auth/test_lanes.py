# SPDX-License-Identifier: Apache-2.0
"""The bounds of a lane of validations."""

import functools
import threading

import testtools

from hypernetes.auth import lanes

DEADLINE = 20.0


class LaneTest(testtools.TestCase):
    """Bounds."""

    def test_a_lane_is_free_again_after_its_calls_whether_they_fail_or_not(self) -> None:
        lane: lanes.Lane[int] = lanes.Lane("test", 1)
        for _ in range(3):
            self.assertEqual(1, lane.run("a", lambda: 1).result(DEADLINE))
            self.assertRaises(ZeroDivisionError, lane.run("a", lambda: 1 // 0).result, DEADLINE)

    def test_as_many_as_may_wait_are_taken(self) -> None:
        lane: lanes.Lane[bool] = lanes.Lane("test", 1, waiting=1)
        proceed = threading.Event()
        self.addCleanup(proceed.set)
        started = [lane.run(key, lambda: proceed.wait(DEADLINE)) for key in ("a", "b")]
        self.assertRaises(lanes.LaneFull, lane.run, "c", lambda: True)
        proceed.set()
        self.assertEqual([True, True], [future.result(DEADLINE) for future in started])

    def test_calls_run_in_the_order_in_which_they_came(self) -> None:
        lane: lanes.Lane[object] = lanes.Lane("test", 1, waiting=3)
        proceed = threading.Event()
        self.addCleanup(proceed.set)
        lane.run("first", lambda: proceed.wait(DEADLINE))
        order: list[str] = []
        waiting = [lane.run(key, functools.partial(order.append, key)) for key in ("c", "a", "b")]
        proceed.set()
        for future in waiting:
            future.result(DEADLINE)
        self.assertEqual(["c", "a", "b"], order)
