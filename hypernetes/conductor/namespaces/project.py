# SPDX-License-Identifier: Apache-2.0
"""What a namespace needs of its project: membership of the service user, the router and the subnet pool.

They are shared by the project's namespaces, so they are made and deleted under a lease of the project.
"""

from oslo_log import log

from hypernetes.conductor import dependencies as context
from hypernetes.conductor.engine import lease
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import records
from hypernetes.model import states

LOG = log.getLogger(__name__)

_LEASE_WAIT = 30.0


def project_lease(project_id: ids.ProjectId) -> str:
    """Key of the lease under which a project's router and pool are made and unmade."""
    return f"project:{project_id}"


def ensure_project(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """The service user is a member of the project; the project has its router and its subnet pool."""
    project_id = namespace.project_id
    # A tenant can delete both. Looked at while something is to be made with them, not in each audit.
    is_looked_at = namespace.status is not states.NamespaceStatus.ACTIVE
    if _is_complete(dependencies.db.projects.ensure(project_id)) and not is_looked_at:
        return namespace
    with dependencies.leases.hold(project_lease(project_id), wait=_LEASE_WAIT) as held:
        project = dependencies.db.projects.get(project_id)
        if not project.member_granted:
            dependencies.cloud.keystone.grant_member(project_id)
            project = dependencies.db.projects.observe(project_id, member_granted=True)
        networking = dependencies.cloud.project(project_id)
        if project.router_id is None or (is_looked_at and not networking.has_router(project.router_id)):
            held.check()
            project = dependencies.db.projects.observe(project_id, router_id=networking.ensure_router())
        pool_id = project.subnet_pool_id
        if pool_id is None or (is_looked_at and not networking.has_subnet_pool(pool_id)):
            held.check()
            dependencies.db.projects.observe(project_id, subnet_pool_id=networking.ensure_subnet_pool())
    return namespace


def ensure_membership(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """We are a member while something of ours is left: a tenant may have taken the role away."""
    project_id = namespace.project_id
    project = dependencies.db.projects.ensure(project_id)
    if project.member_granted or not _is_anything_left(namespace, project):
        return namespace
    with dependencies.leases.hold(project_lease(project_id), wait=_LEASE_WAIT):
        dependencies.cloud.keystone.grant_member(project_id)
        dependencies.db.projects.observe(project_id, member_granted=True)
    return namespace


def forget(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """The record is gone; with the project's last one go its router, its pool and our membership."""
    project_id = namespace.project_id
    with dependencies.leases.hold(project_lease(project_id), wait=_LEASE_WAIT) as held:
        # Under the lease, so that of two namespaces deleted at a time the second sees that it is the last.
        others = [other for other in dependencies.db.namespaces.list(project_id=project_id) if other.id != namespace.id]
        if not others:
            _release_project(dependencies, project_id, held)
        dependencies.db.namespaces.delete(namespace.id)
    return namespace


def _release_project(dependencies: context.Dependencies, project_id: ids.ProjectId, held: lease.Lease) -> None:
    project = dependencies.db.projects.ensure(project_id)
    try:
        if project.member_granted:
            _delete_project_parts(dependencies, project, held)
        held.check()
        # In any case: a run that was killed may have granted it without recording so.
        dependencies.cloud.keystone.revoke_member(project_id)
        dependencies.db.projects.observe(project_id, member_granted=False)
    except errors.Refused as error:
        # The tenant has attached something of its own, or the operator made us a member. Both stay, and are used again.
        LOG.info("Project %s keeps something of ours: %s", project_id, error)


def _delete_project_parts(dependencies: context.Dependencies, project: records.Project, held: lease.Lease) -> None:
    networking = dependencies.cloud.project(project.id)
    if project.router_id is None and (router_id := networking.find_router()) is not None:
        project = dependencies.db.projects.observe(project.id, router_id=router_id)
    if project.subnet_pool_id is None and (pool_id := networking.find_subnet_pool()) is not None:
        project = dependencies.db.projects.observe(project.id, subnet_pool_id=pool_id)
    networking.delete_duplicates((project.router_id, project.subnet_pool_id))
    held.check()
    # Forgotten first: what a kill leaves unrecorded is found by its mark, a recorded id of nothing would be believed.
    if (router_id := project.router_id) is not None:
        dependencies.db.projects.observe(project.id, router_id=None)
        try:
            networking.delete_router(router_id)
        except errors.HypernetesError:
            dependencies.db.projects.observe(project.id, router_id=router_id)
            raise
    held.check()
    if (pool_id := project.subnet_pool_id) is not None:
        dependencies.db.projects.observe(project.id, subnet_pool_id=None)
        try:
            networking.delete_subnet_pool(pool_id)
        except errors.HypernetesError:
            dependencies.db.projects.observe(project.id, subnet_pool_id=pool_id)
            raise


def _is_complete(project: records.Project) -> bool:
    return project.member_granted and project.router_id is not None and project.subnet_pool_id is not None


def _is_anything_left(namespace: records.Namespace, project: records.Project) -> bool:
    """Whether something that we made is recorded, which only a member of the project can delete."""
    parts: list[str | None] = [namespace.security_group_id, project.router_id, project.subnet_pool_id]
    if namespace.requested_network_id is None:
        parts += [namespace.subnet_id, namespace.network_id]
    return any(part is not None for part in parts)
