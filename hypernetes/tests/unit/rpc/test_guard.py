# SPDX-License-Identifier: Apache-2.0
"""How many calls of one node have threads, wait and are dropped. The functional tests send them by RabbitMQ."""

import itertools

import testtools

from hypernetes.rpc import guard


class LanesTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.submitted: list[int] = []
        self.lanes = guard.Lanes(self.submitted.append, in_work=2, waiting=3)

    def add(self, node: str, *calls: int) -> list[bool]:
        return [self.lanes.add(node, call) for call in calls]

    def test_calls_of_one_node_wait_behind_its_own_in_their_order_and_are_dropped_at_last(self) -> None:
        self.assertEqual([True] * 5 + [False], self.add("node1", 1, 2, 3, 4, 5, 6))
        self.assertEqual([1, 2], self.submitted)
        for expected in ([1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5]):
            self.lanes.done("node1")
            self.assertEqual(expected, self.submitted)

    def test_another_node_does_not_wait_for_them(self) -> None:
        self.add("node1", 1, 2, 3, 4, 5)
        self.assertEqual([True, True, True], self.add("node2", 21, 22, 23))
        self.assertEqual([1, 2, 21, 22], self.submitted)

    def test_after_its_calls_a_node_has_all_its_room_again(self) -> None:
        for round_ in range(3):
            self.assertEqual([True] * 5 + [False], self.add("node1", *range(6)))
            for _ in range(5):
                self.lanes.done("node1")
            self.assertEqual(5 * (round_ + 1), len(self.submitted))

    def test_a_call_that_cannot_be_submitted_does_not_keep_the_others(self) -> None:
        answers = itertools.chain([None, None, RuntimeError("the threads are being stopped")], itertools.repeat(None))

        def submit(call: int) -> None:
            error = next(answers)
            if error is not None:
                raise error
            self.submitted.append(call)

        lanes = guard.Lanes(submit, in_work=2, waiting=3)
        for call in range(4):
            lanes.add("node1", call)
        lanes.done("node1")
        lanes.done("node1")
        self.assertEqual([0, 1, 3], self.submitted)
