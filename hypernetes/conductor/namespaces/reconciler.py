# SPDX-License-Identifier: Apache-2.0
"""Namespaces: a table of steps that creates one, and a table that deletes it.

Only what is recorded is deleted, and what is deleted is no longer recorded.
"""

import dataclasses
from collections.abc import Iterable
from collections.abc import Sequence
from typing import ClassVar

from oslo_log import log

from hypernetes.conductor import dependencies as context
from hypernetes.conductor.engine import outcome
from hypernetes.conductor.engine import steps
from hypernetes.conductor.namespaces import gone_projects
from hypernetes.conductor.namespaces import kubernetes
from hypernetes.conductor.namespaces import network
from hypernetes.conductor.namespaces import orphans
from hypernetes.conductor.namespaces import ports
from hypernetes.conductor.namespaces import progress
from hypernetes.conductor.namespaces import project
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.openstack import failures
from hypernetes.openstack import keystone

LOG = log.getLogger(__name__)

Step = steps.Step[records.Namespace]

_DISABLED = "The project is disabled in Keystone. Work on the namespace continues once it is enabled."


def activate(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """Report that pods can run, and which of them have lost their ports."""
    reason = ports.lost_ports(dependencies, namespace)
    if (namespace.status, namespace.status_reason) == (states.NamespaceStatus.ACTIVE, reason):
        return namespace
    return dependencies.db.namespaces.observe(
        namespace.id, expect=namespace.generation, status=states.NamespaceStatus.ACTIVE, status_reason=reason
    )


STEPS_UP: tuple[Step, ...] = (
    project.ensure_project,
    network.ensure_network,
    network.ensure_subnet,
    network.ensure_router_interface,
    network.ensure_security_group,
    kubernetes.ensure_kubernetes_namespace,
    kubernetes.apply_contents,
    kubernetes.apply_labels,
    kubernetes.await_service_account,
    activate,
)

STEPS_DOWN: tuple[Step, ...] = (
    kubernetes.delete_kubernetes_namespace,
    kubernetes.forget_service_accounts,
    ports.await_ports,
    project.ensure_membership,
    orphans.adopt_orphans,
    network.delete_router_interface,
    orphans.delete_duplicates,
    network.delete_subnet,
    network.delete_network,
    network.delete_security_group,
    project.forget,
)


class NamespaceReconciler(steps.StepReconciler[records.Namespace]):
    """Creates and deletes namespaces."""

    kind: ClassVar[str] = kinds.Kind.NAMESPACE

    def load(self, identifier: str) -> records.Namespace:
        return self._dependencies.db.namespaces.get(identifier)

    def steps(self, record: records.Namespace) -> Sequence[Step]:
        return STEPS_DOWN if _is_deleting(record) else STEPS_UP

    def unsettled(self) -> Iterable[str]:
        """Return the namespaces being created or deleted, those whose labels have changed, and those that wait for a
        refusal's cause to be removed.

        Not those whose own network was refused: that is final, see :meth:`refused`.
        """
        wanted = (
            states.NamespaceStatus.CREATING,
            states.NamespaceStatus.DELETING,
            states.NamespaceStatus.ERROR,
        )
        database = self._dependencies.db
        found = {
            one.id: one
            for one in (*database.namespaces.list(status=wanted), *database.namespaces.list(labels_pending=True))
        }.values()
        members = {project.id for project in database.projects.list(member_granted=True)}
        return [one.id for one in found if not (one.project_id in members and _is_network_refused(one))]

    def audited(self) -> Iterable[str]:
        """Return the ACTIVE ones: their network must still exist, their bindings and quota must be unchanged."""
        return [n.id for n in self._dependencies.db.namespaces.list(status=states.NamespaceStatus.ACTIVE)]

    def begin(self, record: records.Namespace, step: Step) -> records.Namespace:
        return progress.begin(self._dependencies, record, step)

    def explain(self, record: records.Namespace, step: Step, reason: str) -> str:
        return progress.explain(record, step, reason)

    def unavailable(self, record: records.Namespace, step: Step, error: errors.HypernetesError) -> outcome.Outcome:
        if isinstance(error, failures.NotAMember):
            # The membership was revoked by the tenant or an operator: the next run grants it again.
            self._dependencies.db.projects.observe(record.project_id, member_granted=False)
            if self._is_disabled(record.project_id):
                self.note(record, _DISABLED)
                return outcome.Failed()
        return super().unavailable(record, step, error)

    def refused(self, record: records.Namespace, step: Step, error: errors.HypernetesError) -> outcome.Outcome:
        if isinstance(error, failures.ProjectGone) and not _is_deleting(record):
            # One answer of Keystone's is too little to delete by; the conductors look again at an interval.
            self.note(record, gone_projects.explanation(self._dependencies, record.project_id))
            return outcome.Failed()
        LOG.warning("Namespace %s: %s: %s", record.id, steps.name_of(step), error)
        self._observe(record, error.detail, record.status if _is_deleting(record) else states.NamespaceStatus.ERROR)
        # Its ID never changes and the reason says what to do, so looking again would only take others' time.
        is_final = isinstance(error, errors.NetworkUnusable)
        return outcome.Settled() if is_final else outcome.Failed()

    def _is_disabled(self, project_id: ids.ProjectId) -> bool:
        try:
            return self._dependencies.cloud.keystone.project_state(project_id) is keystone.ProjectState.DISABLED
        except errors.HypernetesError:
            return False

    def note(self, record: records.Namespace, reason: str) -> None:
        self._observe(record, reason, record.status)

    def _observe(self, record: records.Namespace, reason: str, status: states.NamespaceStatus) -> None:
        if dataclasses.replace(record, status_reason=reason, status=status) == record:
            return
        try:
            self._dependencies.db.namespaces.observe(
                record.id, expect=record.generation, status=status, status_reason=reason
            )
        except (errors.StaleGeneration, errors.NotFound):
            # The intent has changed meanwhile; the next run reports on the new one.
            return


def _is_deleting(namespace: records.Namespace) -> bool:
    return namespace.status is states.NamespaceStatus.DELETING


def _is_network_refused(namespace: records.Namespace) -> bool:
    """Tell whether a member of the project has found the tenant's own network unusable."""
    return (
        namespace.status is states.NamespaceStatus.ERROR
        and namespace.requested_network_id is not None
        and namespace.network_id is None
    )
