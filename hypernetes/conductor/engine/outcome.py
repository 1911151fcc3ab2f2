# SPDX-License-Identifier: Apache-2.0
"""The vocabulary of reconcilers: what is to be worked on, and how the work may end."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar
from typing import Protocol

from hypernetes.conductor.engine import lease


@dataclass(frozen=True, slots=True)
class Key:
    """One object to reconcile."""

    kind: str
    """cluster, node, namespace, port, port-pool, or port-garbage (of a cluster)."""
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing is left to do until the intent changes or the next audit."""


@dataclass(frozen=True, slots=True)
class Again:
    """Reconcile again: something is still in progress, here or elsewhere."""

    after: float
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A service refused or did not answer; retry with backoff."""


Outcome = Settled | Again | Failed


class Waiting(Exception):
    """Raised by a step that cannot continue yet, which is not a failure.

    :param reason: shown to users as ``status_reason``; empty to leave that as it is.
    :param after: seconds after which to look again.
    """

    def __init__(self, reason: str, after: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after


class Reconciler(Protocol):
    """Brings one kind of object closer to its intent. It may be killed after any line, and is then run again."""

    kind: ClassVar[str]

    def reconcile(self, identifier: str, held: lease.Lease) -> Outcome:
        """Do what is missing. ``held`` is the lease on the object; it is checked before each step."""
        ...

    def unsettled(self) -> Iterable[str]:
        """Return the IDs of objects with work to do; read every ``[conductor] resync_interval``."""
        ...

    def audited(self) -> Iterable[str]:
        """Return the IDs of settled objects to look at every ``[conductor] audit_interval``."""
        ...
