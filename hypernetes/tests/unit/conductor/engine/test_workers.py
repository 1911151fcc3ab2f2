# SPDX-License-Identifier: Apache-2.0
"""The engine turns outcomes into the next look, and survives whatever a reconciler throws."""

import contextlib
import queue
import threading
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any
from typing import cast
from typing import ClassVar

import testtools
from oslo_context import fixture as context_fixture

from hypernetes.conductor.engine import lease
from hypernetes.conductor.engine import outcome
from hypernetes.conductor.engine import timers
from hypernetes.conductor.engine import work_queue
from hypernetes.conductor.engine import workers
from hypernetes.rpc import request_context

KEY = outcome.Key("namespace", "a")


class Reconciler:
    kind: ClassVar[str] = "namespace"

    def __init__(self, act: Callable[[], outcome.Outcome]) -> None:
        self.act = act

    def reconcile(self, identifier: str, held: lease.Lease) -> outcome.Outcome:
        return self.act()

    def unsettled(self) -> Iterable[str]:
        return ["a", "b"]

    def audited(self) -> Iterable[str]:
        return ["c"]


class Leases:
    def __init__(self) -> None:
        self.busy = False

    def hold(self, key: str) -> Any:
        if self.busy:
            raise lease.Busy(key)
        return contextlib.nullcontext()


class EngineTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.queue: work_queue.WorkQueue[outcome.Key] = work_queue.WorkQueue(
            work_queue.Backoff(1.0, 60.0), lambda: work_queue.TokenBucket(100.0, 100)
        )
        self.leases = Leases()

    def engine(self, act: Callable[[], outcome.Outcome]) -> workers.Engine:
        return workers.Engine(2, self.queue, cast(Any, self.leases), {"namespace": Reconciler(act)})

    def throw(self, error: Exception) -> outcome.Outcome:
        raise error

    def test_what_is_settled_does_not_come_back(self) -> None:
        self.engine(outcome.Settled).work(KEY)
        self.assertEqual(0, len(self.queue))

    def test_again_comes_back_and_is_no_failure(self) -> None:
        self.engine(lambda: outcome.Again(5.0)).work(KEY)
        self.assertEqual((1, 0), (len(self.queue), self.queue.failures(KEY)))

    def test_failures_and_surprises_come_back_with_backoff(self) -> None:
        for count, act in enumerate(
            (outcome.Failed, lambda: self.throw(RuntimeError("surprise")), lambda: self.throw(lease.LeaseLost("a"))), 1
        ):
            self.engine(act).work(KEY)
            self.assertEqual((1, count), (len(self.queue), self.queue.failures(KEY)))

    def test_an_object_that_another_conductor_holds_is_looked_at_again(self) -> None:
        self.leases.busy = True
        self.engine(lambda: self.throw(AssertionError())).work(KEY)
        self.assertEqual((1, 0), (len(self.queue), self.queue.failures(KEY)))

    def test_resync_adds_what_is_not_settled_but_leaves_backoffs_alone(self) -> None:
        self.queue.add_after(KEY, 1000.0)
        self.engine(outcome.Settled).resync()
        self.assertEqual(outcome.Key("namespace", "b"), self.queue.get())

    def test_audits_are_spread(self) -> None:
        self.engine(outcome.Settled).audit(60.0)
        self.assertEqual(1, len(self.queue))

    def test_workers_work_and_end(self) -> None:
        worked = threading.Event()

        def act() -> outcome.Outcome:
            worked.set()
            return outcome.Settled()

        running = self.engine(act)
        running.start()
        self.queue.add(KEY)
        self.assertTrue(worked.wait(10))
        running.stop(10.0)

    def test_the_work_is_done_for_the_request_that_caused_it_and_so_is_its_retry(self) -> None:
        self.useFixture(context_fixture.ClearRequestContext())
        seen: queue.Queue[str | None] = queue.Queue()

        def act() -> outcome.Outcome:
            seen.put(request_context.current_id())
            return outcome.Again(0.1) if seen.qsize() < 2 else outcome.Settled()

        engine = self.engine(act)
        engine.start()
        self.addCleanup(engine.stop, 5.0)
        woken_by = request_context.begin()
        self.queue.add(KEY)
        self.assertEqual([woken_by] * 2, [seen.get(timeout=10), seen.get(timeout=10)])

    def test_work_without_a_request_has_an_id_of_its_own(self) -> None:
        self.useFixture(context_fixture.ClearRequestContext())
        seen: queue.Queue[str | None] = queue.Queue()

        def act() -> outcome.Outcome:
            seen.put(request_context.current_id())
            return outcome.Settled()

        engine = self.engine(act)
        engine.start()
        self.addCleanup(engine.stop, 5.0)
        engine.resync()
        self.assertEqual(2, len({seen.get(timeout=10), seen.get(timeout=10)} - {None}))

    def test_a_clock_goes_on_after_an_error(self) -> None:
        times = threading.Semaphore(0)

        def act() -> None:
            times.release()
            raise RuntimeError("surprise")

        clock = timers.PeriodicTask("test", 0.01, act, at_once=True)
        clock.start()
        for _ in range(3):
            self.assertTrue(times.acquire(timeout=10))
        clock.stop(10.0)
