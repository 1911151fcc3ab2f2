# SPDX-License-Identifier: Apache-2.0
"""Leases: one holder at a time, and a holder that learns when it is one no longer."""

import testtools

from hypernetes.conductor.engine import lease
from hypernetes.tests.unit.conductor.engine.test_work_queue import Clock


class Store:
    """Lease rows in memory, with a clock of their own as the database has."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.rows: dict[str, tuple[str, float]] = {}
        self.broken = False

    def _now(self) -> float:
        if self.broken:
            raise OSError("the database is away")
        return self.clock.now

    def acquire(self, key: str, owner: str, seconds: float) -> bool:
        now = self._now()
        held_by, until = self.rows.get(key, (owner, now))
        if held_by != owner and until >= now:
            return False
        self.rows[key] = (owner, now + seconds)
        return True

    def renew(self, key: str, owner: str, seconds: float) -> bool:
        now = self._now()
        held_by, until = self.rows.get(key, ("", 0.0))
        if held_by != owner or until < now:
            return False
        self.rows[key] = (owner, now + seconds)
        return True

    def release(self, key: str, owner: str) -> None:
        self._now()
        if self.rows.get(key, ("", 0.0))[0] == owner:
            del self.rows[key]


class LeaseTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.store = Store(self.clock)
        self.one = lease.Leases(self.store, 30.0, clock=self.clock)
        self.other = lease.Leases(self.store, 30.0, clock=self.clock)

    def take(self, leases: lease.Leases) -> None:
        with leases.hold("namespace:a"):
            pass

    def test_another_conductor_waits_outside(self) -> None:
        with self.one.hold("namespace:a"):
            self.assertRaises(lease.Busy, self.take, self.other)
        self.take(self.other)

    def test_another_thread_of_the_same_conductor_waits_outside_too(self) -> None:
        with self.one.hold("namespace:a"):
            self.assertRaises(lease.Busy, self.take, self.one)

    def test_other_objects_are_not_concerned(self) -> None:
        with self.one.hold("namespace:a"), self.other.hold("namespace:b") as held:
            held.check()

    def test_an_error_inside_gives_the_lease_back(self) -> None:
        def fail() -> None:
            with self.one.hold("namespace:a"):
                raise ValueError

        self.assertRaises(ValueError, fail)
        self.assertEqual({}, self.store.rows)

    def test_a_killed_holders_lease_runs_out(self) -> None:
        self.store.acquire("namespace:a", "killed", 30.0)
        self.assertRaises(lease.Busy, self.take, self.one)
        self.clock.now += 31.0
        self.take(self.one)

    def test_renewal_keeps_it(self) -> None:
        with self.one.hold("namespace:a") as held:
            for _ in range(5):
                self.clock.now += 10.0
                self.one.renew_all()
                held.check()
            self.assertRaises(lease.Busy, self.take, self.other)

    def test_a_holder_that_slept_too_long_is_told(self) -> None:
        with self.one.hold("namespace:a") as held:
            self.clock.now += 31.0
            self.assertRaises(lease.LeaseLost, held.check)

    def test_a_holder_whose_lease_was_taken_is_told(self) -> None:
        with self.one.hold("namespace:a") as held:
            self.store.rows["namespace:a"] = ("other", self.clock.now + 100.0)
            self.one.renew_all()
            self.assertRaises(lease.LeaseLost, held.check)
        self.assertEqual("other", self.store.rows["namespace:a"][0])

    def test_a_database_that_is_away_for_a_moment_costs_nothing(self) -> None:
        with self.one.hold("namespace:a") as held:
            self.store.broken = True
            self.clock.now += 10.0
            self.one.renew_all()
            held.check()
            self.store.broken = False
            self.one.renew_all()
            self.clock.now += 25.0
            held.check()

    def test_a_lease_that_cannot_be_given_back_is_no_error_of_the_work(self) -> None:
        with self.one.hold("namespace:a"):
            self.store.broken = True
