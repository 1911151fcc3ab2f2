# SPDX-License-Identifier: Apache-2.0
"""A reconciler as a table of steps, with one policy for what goes wrong in them.

A step does one thing and returns the record as it is now. It looks first whether its thing is recorded, else finds
what an interrupted run made, else makes it; then it records it. So each step may be repeated, and the process may be
killed after any line.
"""

import abc
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from typing import ClassVar
from typing import Generic
from typing import Protocol
from typing import TypeVar

from oslo_log import log

from hypernetes.conductor import dependencies as context
from hypernetes.conductor.engine import lease
from hypernetes.conductor.engine import outcome
from hypernetes.model import errors

LOG = log.getLogger(__name__)


class Record(Protocol):
    """What a reconciler must know of a record."""

    @property
    def id(self) -> str:
        """Return the record's ID."""
        ...


R = TypeVar("R", bound=Record)
Step = Callable[[context.Dependencies, R], R]
"""Does one thing and returns the record as it is now; raises :class:`outcome.Waiting` or an error of the model."""


class StepReconciler(abc.ABC, Generic[R]):
    """Runs the steps of a record in order, and turns what they raise into an outcome.

    ================================ ================================================================
    raised                           outcome
    ================================ ================================================================
    ``outcome.Waiting``              the reason is noted; reconciled again after its seconds
    ``errors.StaleGeneration``       the intent has changed: reconciled again at once
    ``errors.NotFound``              settled if the record itself is gone; else refused
    ``errors.Unavailable``           :meth:`unavailable`: noted, retried with backoff
    other ``errors.HypernetesError`` :meth:`refused`: noted, retried with backoff
    ``LeaseLost``, ``Busy``          the engine's concern
    anything else                    a defect: noted as unexpected, logged with its traceback, retried
    ================================ ================================================================
    """

    kind: ClassVar[str]

    def __init__(self, dependencies: context.Dependencies) -> None:
        self._dependencies = dependencies

    @abc.abstractmethod
    def load(self, identifier: str) -> R:
        """Return the record.

        :raises errors.NotFound: when it is gone.
        """

    @abc.abstractmethod
    def steps(self, record: R) -> Sequence[Step[R]]:
        """Return the steps that the record's intent asks for, in order."""

    def unsettled(self) -> Iterable[str]:
        """Return the IDs of records with work to do."""
        return ()

    def audited(self) -> Iterable[str]:
        """Return the IDs of settled records to look at now and then."""
        return ()

    def reconcile(self, identifier: str, held: lease.Lease) -> outcome.Outcome:
        """Run the steps until all are done or one of them cannot continue."""
        try:
            record = self.load(identifier)
        except errors.NotFound:
            return outcome.Settled()
        for step in self.steps(record):
            held.check()
            try:
                record = self.begin(record, step)
                record = step(self._dependencies, record)
            except (lease.LeaseLost, lease.Busy):
                raise
            except Exception as error:
                try:
                    return self._outcome(record, step, error)
                except errors.StaleGeneration:
                    # The intent changed while the note was written: the next run works on the new one.
                    return outcome.Again(0.0)
        return outcome.Settled()

    def begin(self, record: R, step: Step[R]) -> R:
        """Return the record with which a step is run; a place to show which step it is."""
        del step
        return record

    def explain(self, record: R, step: Step[R], reason: str) -> str:
        """Return what is noted about a step that has not succeeded yet."""
        del record, step
        return reason

    def waiting(self, record: R, step: Step[R], waiting: outcome.Waiting) -> outcome.Outcome:
        """Decide about a step that waits."""
        if waiting.reason:
            self.note(record, self.explain(record, step, waiting.reason))
        return outcome.Again(waiting.after)

    def unavailable(self, record: R, step: Step[R], error: errors.HypernetesError) -> outcome.Outcome:
        """Decide about a step for which a service did not answer properly."""
        LOG.info("%s %s: %s", self.kind, record.id, error)
        self.note(record, self.explain(record, step, error.detail))
        return outcome.Failed()

    def refused(self, record: R, step: Step[R], error: errors.HypernetesError) -> outcome.Outcome:
        """Decide about a step that was refused. It is retried: a tenant or an operator may remove the cause."""
        LOG.warning("%s %s: %s: %s", self.kind, record.id, name_of(step), error)
        self.note(record, error.detail)
        return outcome.Failed()

    def note(self, record: R, reason: str) -> None:
        """Show the record's owner how far the work is; for records that have an owner to show it to."""

    def _outcome(self, record: R, step: Step[R], error: Exception) -> outcome.Outcome:
        match error:
            case outcome.Waiting():
                return self.waiting(record, step, error)
            case errors.StaleGeneration():
                return outcome.Again(0.0)
            case errors.NotFound() if self._is_gone(record):
                return outcome.Settled()
            case errors.Unavailable():
                return self.unavailable(record, step, error)
            case errors.HypernetesError():
                return self.refused(record, step, error)
        # A defect. Its text is for the operator's log; its owner must know that it is not just slow.
        self.note(record, self.explain(record, step, errors.Unexpected(object=f"{self.kind} {record.id}").detail))
        raise error

    def _is_gone(self, record: R) -> bool:
        try:
            self.load(record.id)
        except errors.NotFound:
            return True
        return False


def name_of(step: Callable[..., object]) -> str:
    """Return a step's name for the log."""
    return str(getattr(step, "__name__", step))
