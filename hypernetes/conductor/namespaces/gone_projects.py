# SPDX-License-Identifier: Apache-2.0
"""Ends what belongs to projects that were deleted in Keystone.

Keystone deletes a project without asking the services that hold resources for it, and a conductor may have been down
then: so it is asked about each project at an interval.
"""

from collections.abc import Collection

from oslo_log import log

from hypernetes.conductor import dependencies as context
from hypernetes.conductor.engine import outcome
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import kinds
from hypernetes.model import states
from hypernetes.openstack import keystone

LOG = log.getLogger(__name__)


def release(dependencies: context.Dependencies) -> None:
    """Delete the namespaces, and then the records, of projects that Keystone does not know any more."""
    database = dependencies.db
    owners = {namespace.project_id for namespace in database.namespaces.list()}
    known = owners | {project.id for project in database.projects.list()}
    gone = {project_id for project_id in sorted(known) if _is_gone(dependencies, project_id)}
    if len(known) > 1 and gone == known:
        # Rather a Keystone with another database than a cloud that lost all its projects at once.
        LOG.error("Keystone knows none of the %d projects that have namespaces; nothing is deleted", len(known))
        return
    _delete_namespaces(dependencies, gone & owners)
    for project_id in gone - owners:
        LOG.info("Project %s was deleted in Keystone; deleting its record", project_id)
        database.projects.delete(project_id)


def _delete_namespaces(dependencies: context.Dependencies, project_ids: Collection[ids.ProjectId]) -> None:
    for namespace in dependencies.db.namespaces.list(project_id=tuple(project_ids)) if project_ids else ():
        if namespace.status is states.NamespaceStatus.DELETING:
            continue
        LOG.warning("Project %s was deleted in Keystone; deleting its namespace %s", namespace.project_id, namespace.id)
        try:
            dependencies.db.namespaces.mark_deleting(namespace.id)
        except errors.NotFound:
            continue
        dependencies.wake(outcome.Key(kinds.Kind.NAMESPACE, namespace.id))


def _is_gone(dependencies: context.Dependencies, project_id: ids.ProjectId) -> bool:
    try:
        return dependencies.cloud.keystone.project_state(project_id) is keystone.ProjectState.GONE
    except errors.HypernetesError as error:
        LOG.info("The state of project %s is not known: %s", project_id, error)
        return False
