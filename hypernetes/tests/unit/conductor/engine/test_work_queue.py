# SPDX-License-Identifier: Apache-2.0
"""The work queue: no key is lost, none is worked on twice at a time, failures wait longer and longer."""

import threading

import testtools

from hypernetes.conductor.engine import work_queue


class Clock:
    """Time that passes only when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class WorkQueueTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        backoff: work_queue.Backoff[str] = work_queue.Backoff(1.0, 60.0, chance=lambda: 1.0)
        self.queue: work_queue.WorkQueue[str] = work_queue.WorkQueue(
            backoff, lambda: work_queue.TokenBucket(1000.0, 1000, clock=self.clock), clock=self.clock
        )

    def take(self) -> str | None:
        """The next key, or None if a worker would have to wait."""
        taken: list[str | None] = []
        thread = threading.Thread(target=lambda: taken.append(self.queue.get()), daemon=True)
        thread.start()
        thread.join(0.2)
        if taken:
            return taken[0]
        # The waiting thread must not take what a later line adds.
        self.queue.add("*poison*")
        thread.join(5)
        self.queue.done("*poison*")
        return None

    def test_a_key_added_twice_is_one_key(self) -> None:
        self.queue.add("a")
        self.queue.add("a")
        self.assertEqual("a", self.take())
        self.queue.done("a")
        self.assertIsNone(self.take())

    def test_a_key_is_not_worked_on_by_two_at_a_time(self) -> None:
        self.queue.add("a")
        self.assertEqual("a", self.take())
        self.queue.add("a")
        self.assertIsNone(self.take())
        self.queue.done("a")
        self.assertEqual("a", self.take())

    def test_a_delayed_key_comes_at_its_moment(self) -> None:
        self.queue.add_after("a", 5.0)
        self.assertIsNone(self.take())
        self.clock.now += 5.0
        self.assertEqual("a", self.take())

    def test_the_earlier_of_two_moments_counts(self) -> None:
        self.queue.add_after("a", 5.0)
        self.queue.add_after("a", 1.0)
        self.queue.add_after("a", 9.0)
        self.clock.now += 1.0
        self.assertEqual("a", self.take())
        self.queue.done("a")
        self.clock.now += 10.0
        self.assertIsNone(self.take())

    def test_adding_overrides_a_delay(self) -> None:
        self.queue.add_after("a", 5.0)
        self.queue.add("a")
        self.assertEqual("a", self.take())
        self.queue.done("a")
        self.clock.now += 5.0
        self.assertIsNone(self.take())

    def test_an_idle_add_leaves_a_backoff_alone(self) -> None:
        self.queue.add_after("a", 5.0)
        self.queue.add_idle("a")
        self.assertIsNone(self.take())
        self.queue.add_idle("b")
        self.assertEqual("b", self.take())
        self.queue.add_idle("b")
        self.queue.done("b")
        self.assertIsNone(self.take())

    def test_failures_wait_exponentially_longer_up_to_the_limit(self) -> None:
        waits = [self.queue.add_failed("a") for _ in range(8)]
        self.assertEqual([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0], waits)

    def test_a_success_makes_the_next_failure_wait_shortly(self) -> None:
        self.queue.add_failed("a")
        self.queue.add_failed("a")
        self.assertEqual(2, self.queue.failures("a"))
        self.queue.forget("a")
        self.assertEqual(1.0, self.queue.add_failed("a"))

    def test_the_latest_request_counts_and_none_is_kept_for_long(self) -> None:
        current: list[str | None] = ["req-1"]
        queue: work_queue.WorkQueue[str] = work_queue.WorkQueue(
            work_queue.Backoff(1.0, 60.0),
            lambda: work_queue.TokenBucket(1.0, 1),
            clock=self.clock,
            current_request=lambda: current[0],
        )
        queue.add("a")
        current[0] = "req-2"
        queue.add("a")
        self.assertEqual(("a", "req-2"), (queue.get(), queue.take_request("a")))
        current[0] = "req-3"
        queue.add("a")
        current[0] = "req-2"
        queue.add_failed("a")
        queue.done("a")
        self.assertEqual(("a", "req-3"), (queue.get(), queue.take_request("a")))
        self.assertIsNone(queue.take_request("a"))

    def test_closing_wakes_every_worker(self) -> None:
        ended: list[str | None] = []
        threads = [threading.Thread(target=lambda: ended.append(self.queue.get())) for _ in range(3)]
        for thread in threads:
            thread.start()
        self.queue.close()
        for thread in threads:
            thread.join(5)
        self.assertEqual([None, None, None], ended)


class BackoffTest(testtools.TestCase):
    def test_half_of_the_wait_is_by_chance(self) -> None:
        for chance, expected in ((0.0, 2.0), (0.5, 3.0), (1.0, 4.0)):
            backoff: work_queue.Backoff[str] = work_queue.Backoff(4.0, 60.0, chance=iter((chance,)).__next__)
            self.assertEqual(expected, backoff.next("a"))

    def test_a_thousand_failures_do_not_overflow(self) -> None:
        backoff: work_queue.Backoff[str] = work_queue.Backoff(1.0, 60.0, chance=lambda: 1.0)
        self.assertEqual(60.0, [backoff.next("a") for _ in range(1100)][-1])


class TokenBucketTest(testtools.TestCase):
    def test_a_burst_is_free_and_then_the_rate_holds(self) -> None:
        clock = Clock()
        bucket = work_queue.TokenBucket(2.0, 3, clock=clock)
        self.assertEqual([0.0, 0.0, 0.0, 0.5, 1.0], [bucket.reserve() for _ in range(5)])
        clock.now += 10.0
        self.assertEqual([0.0, 0.0, 0.0, 0.5], [bucket.reserve() for _ in range(4)])
