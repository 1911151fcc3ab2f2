# SPDX-License-Identifier: Apache-2.0
"""Projects are served in turn, whatever one of them asks for."""

import testtools

from hypernetes.conductor.engine import lines
from hypernetes.conductor.engine import outcome
from hypernetes.conductor.engine import work_queue
from hypernetes.model import errors


def project(key: str) -> str:
    """The part of a key before its hyphen; clusters are the operator's."""
    name = key.split("-", maxsplit=1)[0]
    return lines.OPERATOR if name == "cluster" else name


class FairnessTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.now = 0.0
        self.queue = self.made(at_once=2)

    def made(self, at_once: int) -> work_queue.WorkQueue[str]:
        return work_queue.WorkQueue(
            work_queue.Backoff(1.0, 120.0, chance=lambda: 1.0),
            lambda: work_queue.TokenBucket(1.0, 20, clock=lambda: self.now),
            line=project,
            at_once=at_once,
            clock=lambda: self.now,
        )

    def served(self, count: int) -> list[str]:
        """The next keys in the order in which one worker works on them."""
        found = []
        for _ in range(count):
            key = self.queue.get()
            assert key is not None
            found.append(key)
            self.queue.done(key)
        return found

    def test_a_projects_first_key_waits_for_one_of_each_other_project(self) -> None:
        for number in range(300):
            self.queue.add(f"red-{number}")
        self.queue.add("blue-0")
        self.queue.add("green-0")
        self.queue.add("blue-1")
        served = self.served(5)
        self.assertEqual(["red-0", "blue-0", "green-0", "red-1", "blue-1"], served)

    def test_one_project_never_has_all_workers(self) -> None:
        for number in range(300):
            self.queue.add(f"red-{number}")
        running = [self.queue.get(), self.queue.get()]
        self.assertEqual(["red-0", "red-1"], running)
        self.queue.add("blue-0")
        # The third and fourth workers: there is no third one for red.
        self.assertEqual("blue-0", self.queue.get())
        self.queue.done("red-0")
        self.assertEqual("red-2", self.queue.get())

    def test_the_operators_objects_may_have_every_worker(self) -> None:
        for number in range(4):
            self.queue.add(f"cluster-{number}")
        self.assertEqual([f"cluster-{number}" for number in range(4)], [self.queue.get() for _ in range(4)])

    def test_a_worker_that_waited_for_its_line_is_woken(self) -> None:
        self.queue = self.made(at_once=1)
        self.queue.add("red-0")
        self.queue.add("red-1")
        self.assertEqual("red-0", self.queue.get())
        self.queue.done("red-0")
        self.assertEqual("red-1", self.queue.get())

    def test_a_key_added_during_its_work_goes_to_the_end_of_its_line(self) -> None:
        self.queue.add("red-0")
        self.queue.add("red-1")
        self.assertEqual("red-0", self.queue.get())
        self.queue.add("red-0")
        self.queue.done("red-0")
        self.assertEqual(["red-1", "red-0"], self.served(2))

    def test_a_thousand_failures_of_one_project_do_not_delay_anothers_retry(self) -> None:
        for number in range(1000):
            self.queue.add_failed(f"red-{number}")
        self.assertEqual(1.0, self.queue.add_failed("blue-0"))
        self.assertGreater(self.queue.add_failed("red-1000"), 900.0)


class OwnersTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.asked: list[str] = []
        self.error: errors.HypernetesError | None = None

        def lookup(identifier: str) -> str:
            self.asked.append(identifier)
            if self.error is not None:
                raise self.error
            return f"project of {identifier}"

        self.owners = lines.Owners({"namespace": lookup})

    def test_the_project_is_looked_up_once(self) -> None:
        key = outcome.Key("namespace", "a")
        self.assertEqual(["project of a"] * 2, [self.owners(key), self.owners(key)])
        self.assertEqual(["a"], self.asked)

    def test_clusters_are_the_operators(self) -> None:
        self.assertEqual(lines.OPERATOR, self.owners(outcome.Key("cluster", "a")))
        self.assertEqual([], self.asked)

    def test_an_outage_of_the_database_is_not_remembered(self) -> None:
        key = outcome.Key("namespace", "a")
        self.error = errors.Unavailable(service="The database", reason="gone")
        self.assertEqual(lines.OPERATOR, self.owners(key))
        self.error = None
        self.assertEqual("project of a", self.owners(key))
