# SPDX-License-Identifier: Apache-2.0
"""Clusters: the steps of each status, and when a bootstrap that makes no progress fails."""

import time
from collections.abc import Iterable
from collections.abc import Sequence
from typing import ClassVar

from oslo_log import log

from hypernetes.conductor.clusters import certificates
from hypernetes.conductor.clusters import deletion
from hypernetes.conductor.clusters import phases as bootstrap_phases
from hypernetes.conductor.clusters import progress
from hypernetes.conductor.clusters import storage
from hypernetes.conductor.clusters import strangers
from hypernetes.conductor.engine import outcome
from hypernetes.conductor.engine import steps
from hypernetes.kubernetes.bootstrap import phases
from hypernetes.model import errors
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states

LOG = log.getLogger(__name__)

Step = steps.Step[records.Cluster]

MAX_FAILURES = 12
"""Failures in a row after which a phase of the conductor puts the cluster into ERROR: about ten minutes."""

_CONDUCTOR = "the conductor"


STEPS: dict[states.ClusterStatus, tuple[Step, ...]] = {
    states.ClusterStatus.CREATING: bootstrap_phases.STEPS,
    states.ClusterStatus.ACTIVE: (
        bootstrap_phases.install_objects,
        strangers.remove_strangers,
        certificates.approve_serving,
        certificates.renew,
        storage.report_storage,
    ),
    states.ClusterStatus.DELETING: deletion.STEPS,
}
"""A cluster in ERROR waits for an operator's retry, so it has no steps."""


class ClusterReconciler(steps.StepReconciler[records.Cluster]):
    """Bootstraps, maintains and deletes clusters."""

    kind: ClassVar[str] = kinds.Kind.CLUSTER

    def load(self, identifier: str) -> records.Cluster:
        return self._dependencies.db.clusters.get(identifier)

    def steps(self, record: records.Cluster) -> Sequence[Step]:
        return STEPS.get(record.status, ())

    def unsettled(self) -> Iterable[str]:
        """Return the clusters being created or deleted."""
        wanted = (states.ClusterStatus.CREATING, states.ClusterStatus.DELETING)
        return [cluster.id for cluster in self._dependencies.db.clusters.list(status=wanted)]

    def audited(self) -> Iterable[str]:
        """Return the ACTIVE ones: what is installed in them is applied again, in case it was changed."""
        return [cluster.id for cluster in self._dependencies.db.clusters.list(status=states.ClusterStatus.ACTIVE)]

    def waiting(self, record: records.Cluster, step: Step, waiting: outcome.Waiting) -> outcome.Outcome:
        phase = _phase(record)
        if phase is None:
            return super().waiting(record, step, waiting)
        self.note(record, f"{progress.sentence(phase)} {waiting.reason}".rstrip())
        if phase.where is phases.Where.CONDUCTOR and _is_overdue(record, phase):
            return self._fail(record, phase, waiting.reason)
        return outcome.Again(waiting.after)

    def unavailable(self, record: records.Cluster, step: Step, error: errors.HypernetesError) -> outcome.Outcome:
        phase = _phase(record)
        if phase is None:
            return super().unavailable(record, step, error)
        if self._dependencies.failures(outcome.Key(self.kind, record.id)) >= MAX_FAILURES:
            return self._fail(record, phase, error.message)
        self.note(record, f"{progress.sentence(phase)} {error.message}")
        return outcome.Failed()

    def refused(self, record: records.Cluster, step: Step, error: errors.HypernetesError) -> outcome.Outcome:
        phase = _phase(record)
        if phase is None:
            return super().refused(record, step, error)
        if phase.where is phases.Where.CONDUCTOR and isinstance(error, errors.NotFound):
            # An apiserver that has just started does not serve every kind yet.
            return self.unavailable(record, step, error)
        return self._fail(record, phase, progress.cause(error))

    def note(self, record: records.Cluster, reason: str) -> None:
        progress.note(self._dependencies, record, reason)

    def _fail(self, record: records.Cluster, phase: phases.Phase, reason: str) -> outcome.Outcome:
        where = _CONDUCTOR
        if phase.where is phases.Where.NODE:
            where = self._dependencies.db.nodes.get(record.control_node_ids[0]).name
        progress.fail(self._dependencies, record, phase, where, reason)
        return outcome.Settled()


def _phase(cluster: records.Cluster) -> phases.Phase | None:
    """Return the phase in progress; None if the cluster is not being created."""
    if cluster.status is not states.ClusterStatus.CREATING:
        return None
    return phases.PHASES[0] if cluster.phase is None else phases.get_phase(cluster.phase)


def _is_overdue(cluster: records.Cluster, phase: phases.Phase) -> bool:
    return cluster.updated_at is not None and time.time() - cluster.updated_at.timestamp() > phase.timeout
