# SPDX-License-Identifier: Apache-2.0
"""How a cluster moves from phase to phase, and what its status says meanwhile."""

from oslo_log import log

from hypernetes.conductor import dependencies as context
from hypernetes.kubernetes.bootstrap import phases
from hypernetes.model import errors
from hypernetes.model import records
from hypernetes.model import states

LOG = log.getLogger(__name__)

_REASON_LENGTH = 2000


def advance(
    dependencies: context.Dependencies, cluster: records.Cluster, phase: phases.Phase, **seen: str
) -> records.Cluster:
    """Go on to the phase after ``phase``, or to ACTIVE after the last one."""
    following = phases.next_phase(phase.name)
    if following is None:
        return dependencies.db.clusters.observe(
            cluster.id,
            expect=cluster.generation,
            status=states.ClusterStatus.ACTIVE,
            status_reason=None,
            phase=None,
            **seen,
        )
    return dependencies.db.clusters.observe(
        cluster.id, expect=cluster.generation, phase=following.name, status_reason=sentence(following), **seen
    )


def fail(
    dependencies: context.Dependencies, cluster: records.Cluster, phase: phases.Phase, where: str, reason: str
) -> None:
    """Put the cluster into ERROR with a reason that names the phase and the remedy; a retry resumes at the phase."""
    failure = errors.PhaseFailed(phase=phase.name, node=where, reason=reason_text(reason))
    LOG.warning("Cluster %s: %s", cluster.id, failure)
    dependencies.db.clusters.observe(
        cluster.id,
        expect=cluster.generation,
        status=states.ClusterStatus.ERROR,
        status_reason=f"{failure.message} {phase.remedy}",
    )


def note(dependencies: context.Dependencies, cluster: records.Cluster, reason: str) -> None:
    """Show the cluster's owner how far the work is."""
    if cluster.status_reason != reason:
        dependencies.db.clusters.observe(cluster.id, expect=cluster.generation, status_reason=reason)


def sentence(phase: phases.Phase) -> str:
    """Return the ``status_reason`` of a cluster that is working on a phase."""
    number = phases.PHASES.index(phase) + 1
    return f"Phase {number} of {len(phases.PHASES)}: {phase.name}."


def reason_text(text: str) -> str:
    """Return a reason without a final stop, since the template ends with one, and of bounded length."""
    return (text.strip() or "no reason was given").rstrip(".")[:_REASON_LENGTH]


def cause(error: Exception) -> str:
    """Return what an error says without its own remedy: the phase's is the one that helps."""
    return error.message if isinstance(error, errors.HypernetesError) else str(error)
