# SPDX-License-Identifier: Apache-2.0
"""The one policy for what a step raises."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import cast
from typing import ClassVar

import testtools

from hypernetes.conductor.engine import lease
from hypernetes.conductor.engine import outcome
from hypernetes.conductor.engine import steps
from hypernetes.model import errors
from hypernetes.tests.support import conductor_fixture


@dataclass(frozen=True)
class Thing:
    """A record."""

    id: str
    count: int = 0


class Things(steps.StepReconciler[Thing]):
    """Reconciles things, which live in a dictionary."""

    kind: ClassVar[str] = "thing"

    def __init__(self, *table: steps.Step[Thing]) -> None:
        super().__init__(cast(Any, None))
        self.table = table
        self.things = {"a": Thing("a")}
        self.notes: list[str] = []
        self.note_raises: Exception | None = None

    def load(self, identifier: str) -> Thing:
        if identifier not in self.things:
            raise errors.NotFound(kind="thing", id=identifier)
        return self.things[identifier]

    def steps(self, record: Thing) -> Sequence[steps.Step[Thing]]:
        return self.table

    def note(self, record: Thing, reason: str) -> None:
        if self.note_raises is not None:
            raise self.note_raises
        self.notes.append(reason)


def raising(error: BaseException) -> steps.Step[Thing]:
    """Return a step that raises."""

    def step(dependencies: object, thing: Thing) -> Thing:
        raise error

    return step


def count(dependencies: object, thing: Thing) -> Thing:
    """Count in the record."""
    return Thing(thing.id, thing.count + 1)


class StepReconcilerTest(testtools.TestCase):
    def run_steps(self, *table: steps.Step[Thing]) -> tuple[outcome.Outcome, list[str]]:
        reconciler = Things(*table)
        return reconciler.reconcile("a", conductor_fixture.never_lost()), reconciler.notes

    def test_each_step_gets_the_record_that_the_one_before_returned(self) -> None:
        seen: list[int] = []

        def look(dependencies: object, thing: Thing) -> Thing:
            seen.append(thing.count)
            return thing

        self.assertEqual((outcome.Settled(), []), self.run_steps(count, look, count, look))
        self.assertEqual([1, 2], seen)

    def test_a_record_that_is_gone_is_settled(self) -> None:
        reconciler = Things(raising(AssertionError("not called")))
        self.assertEqual(outcome.Settled(), reconciler.reconcile("b", conductor_fixture.never_lost()))

    def test_a_record_that_goes_during_the_work_is_settled(self) -> None:
        reconciler = Things()

        def forget(dependencies: object, thing: Thing) -> Thing:
            del reconciler.things[thing.id]
            raise errors.NotFound(kind="thing", id=thing.id)

        reconciler.table = (forget,)
        self.assertEqual(outcome.Settled(), reconciler.reconcile("a", conductor_fixture.never_lost()))
        self.assertEqual([], reconciler.notes)

    def test_what_something_else_is_not_found_for_is_refused(self) -> None:
        ended, notes = self.run_steps(raising(errors.NotFound(kind="network", id="n1")))
        self.assertEqual(outcome.Failed(), ended)
        self.assertIn("n1", notes[0])

    def test_waiting_is_noted_unless_it_has_nothing_to_say(self) -> None:
        self.assertEqual((outcome.Again(5.0), ["not yet"]), self.run_steps(raising(outcome.Waiting("not yet", 5.0))))
        self.assertEqual((outcome.Again(5.0), []), self.run_steps(raising(outcome.Waiting("", 5.0))))

    def test_a_changed_intent_is_worked_on_at_once(self) -> None:
        stale = errors.StaleGeneration(kind="thing", id="a")
        self.assertEqual((outcome.Again(0.0), []), self.run_steps(raising(stale)))

    def test_an_intent_that_changes_while_a_note_is_written_is_worked_on_at_once(self) -> None:
        reconciler = Things(raising(outcome.Waiting("not yet", 5.0)))
        reconciler.note_raises = errors.StaleGeneration(kind="thing", id="a")
        self.assertEqual(outcome.Again(0.0), reconciler.reconcile("a", conductor_fixture.never_lost()))

    def test_unavailability_and_refusal_are_noted_and_retried(self) -> None:
        for error in (
            errors.Unavailable(service="Neutron", reason="ConnectTimeout"),
            errors.Refused(service="Neutron", reason="the quota is used up"),
        ):
            ended, notes = self.run_steps(raising(error), raising(AssertionError("not called")))
            self.assertEqual((outcome.Failed(), [error.detail]), (ended, notes))

    def test_a_defect_is_noted_without_its_text_and_raised(self) -> None:
        reconciler = Things(raising(RuntimeError("planted-secret")))
        self.assertRaises(RuntimeError, reconciler.reconcile, "a", conductor_fixture.never_lost())
        self.assertIn("thing a", reconciler.notes[0])
        self.assertNotIn("planted-secret", reconciler.notes[0])

    def test_leases_are_the_engines_concern(self) -> None:
        for error in (lease.Busy("a"), lease.LeaseLost("a")):
            self.assertRaises(type(error), self.run_steps, raising(error))

    def test_no_step_runs_without_the_lease(self) -> None:
        lost = conductor_fixture.never_lost()
        lost.lose()
        self.assertRaises(lease.LeaseLost, Things(raising(AssertionError("not called"))).reconcile, "a", lost)
