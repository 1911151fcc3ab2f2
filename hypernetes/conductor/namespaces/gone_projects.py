# SPDX-License-Identifier: Apache-2.0
"""Deletes what belongs to projects that were deleted in Keystone.

Keystone deletes a project without asking the services that hold resources for it, and a conductor may have been down
then: so it is asked about each project at an interval. The deletion cannot be undone, and one answer may be wrong: a
server of Keystone may lag behind its database or use another one. So a project counts as deleted once each look for
``[conductor] gone_project_grace`` has said so, and no look counts at which Keystone does not find the service user's
own project.
"""

from collections.abc import Collection
from collections.abc import Iterable

from oslo_log import log

from hypernetes.conductor import dependencies as context
from hypernetes.conductor.engine import outcome
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.openstack import keystone

LOG = log.getLogger(__name__)

_MISSING = (
    "Keystone does not find the project {project_id}. The namespace and its pods are deleted if that remains so for "
    "{seconds:g} seconds."
)


def release(dependencies: context.Dependencies) -> None:
    """Look at all projects once; delete the namespaces, and then the records, of those that are gone for long."""
    database = dependencies.db
    owners = {namespace.project_id for namespace in database.namespaces.list()}
    known = owners | {project.id for project in database.projects.list()}
    missing = _missing(dependencies, known)
    dependencies.gone_projects.retain(set(missing))
    for project_id in missing:
        dependencies.gone_projects.missed(project_id)
    gone = {project_id for project_id in missing if dependencies.gone_projects.is_confirmed(project_id)}
    _explain(dependencies, known, missing)
    _delete_namespaces(dependencies, gone & owners)
    for project_id in gone - owners:
        LOG.info("Project %s was deleted in Keystone; deleting its record", project_id)
        database.projects.delete(project_id)


def explanation(dependencies: context.Dependencies, project_id: ids.ProjectId) -> str:
    """Return the ``status_reason`` of namespaces whose project may be gone."""
    return _MISSING.format(project_id=project_id, seconds=dependencies.conf.conductor.gone_project_grace)


def _missing(dependencies: context.Dependencies, known: Collection[ids.ProjectId]) -> set[ids.ProjectId]:
    """Return the projects that Keystone does not find, if its answers can be relied on."""
    missing = {project_id for project_id in sorted(known) if _is_missing(dependencies, project_id)}
    if not missing:
        return set()
    if len(known) > 1 and len(missing) == len(known):
        # Rather a Keystone with another database than a cloud that lost all its projects at once.
        LOG.error("Keystone knows none of the %d projects that have namespaces; nothing is deleted", len(known))
        return set()
    try:
        finds_itself = dependencies.cloud.keystone.finds_itself()
    except errors.HypernetesError as error:
        LOG.info("Whether Keystone finds the service user's own project is not known: %s", error)
        return set()
    if not finds_itself:
        LOG.error("Keystone does not find the service user's own project; nothing is deleted")
        return set()
    return missing


def _is_missing(dependencies: context.Dependencies, project_id: ids.ProjectId) -> bool:
    try:
        return dependencies.cloud.keystone.project_state(project_id) is keystone.ProjectState.GONE
    except errors.HypernetesError as error:
        LOG.info("The state of project %s is not known: %s", project_id, error)
        return False


def _explain(
    dependencies: context.Dependencies, known: Collection[ids.ProjectId], missing: Collection[ids.ProjectId]
) -> None:
    """Have namespaces say what awaits them, and have those reconciled whose projects were found again."""
    for namespace in _undeleted(dependencies, known):
        reason = explanation(dependencies, namespace.project_id)
        if namespace.project_id in missing and namespace.status_reason != reason:
            LOG.warning("Keystone does not find project %s of namespace %s", namespace.project_id, namespace.id)
            _observe(dependencies, namespace, reason)
        elif namespace.project_id not in missing and namespace.status_reason == reason:
            _observe(dependencies, namespace, None)
            dependencies.wake(outcome.Key(kinds.Kind.NAMESPACE, namespace.id))


def _observe(dependencies: context.Dependencies, namespace: records.Namespace, reason: str | None) -> None:
    try:
        dependencies.db.namespaces.observe(namespace.id, expect=namespace.generation, status_reason=reason)
    except (errors.StaleGeneration, errors.NotFound):
        # Its deletion was requested meanwhile.
        return


def _delete_namespaces(dependencies: context.Dependencies, project_ids: Collection[ids.ProjectId]) -> None:
    for namespace in _undeleted(dependencies, project_ids):
        LOG.warning("Project %s was deleted in Keystone; deleting its namespace %s", namespace.project_id, namespace.id)
        try:
            dependencies.db.namespaces.mark_deleting(namespace.id)
        except errors.NotFound:
            continue
        dependencies.wake(outcome.Key(kinds.Kind.NAMESPACE, namespace.id))


def _undeleted(
    dependencies: context.Dependencies, project_ids: Collection[ids.ProjectId]
) -> Iterable[records.Namespace]:
    found = dependencies.db.namespaces.list(project_id=tuple(project_ids)) if project_ids else ()
    return [namespace for namespace in found if namespace.status is not states.NamespaceStatus.DELETING]
