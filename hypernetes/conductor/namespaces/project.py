# SPDX-License-Identifier: Apache-2.0
"""What a namespace needs of its project: membership of the service user, the router and the subnet pool.

They are shared by the project's namespaces, so they are made and deleted under a lease of the project.
"""

import contextlib
from collections.abc import Iterator

from oslo_log import log

from hypernetes.conductor import dependencies as context
from hypernetes.conductor.engine import lease
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.openstack import failures

LOG = log.getLogger(__name__)

_LEASE_WAIT = 30.0


def project_lease(project_id: ids.ProjectId) -> str:
    """Return the key of the lease under which a project's router and pool are created and deleted."""
    return f"project:{project_id}"


def ensure_project(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """Make the service user a member of the project, and create the project's router and subnet pool.

    A namespace on the tenant's own network needs only the membership.
    """
    project_id = namespace.project_id
    # A tenant can delete both. Checked while they are needed, not in each audit.
    is_checked = namespace.status is not states.NamespaceStatus.ACTIVE
    project = dependencies.db.projects.ensure(project_id)
    if namespace.requested_network_id is not None:
        if not project.member_granted:
            _join(dependencies, project_id)
        return namespace
    if _is_complete(project) and not is_checked:
        return namespace
    with dependencies.leases.hold(project_lease(project_id), wait=_LEASE_WAIT) as held:
        project = dependencies.db.projects.get(project_id)
        if not project.member_granted:
            dependencies.cloud.keystone.grant_member(project_id)
            project = dependencies.db.projects.observe(project_id, member_granted=True)
        networking = dependencies.cloud.project(project_id)
        if project.router_id is None or (is_checked and not networking.has_router(project.router_id)):
            held.check()
            project = dependencies.db.projects.observe(project_id, router_id=networking.ensure_router())
        pool_id = project.subnet_pool_id
        if pool_id is None or (is_checked and not networking.has_subnet_pool(pool_id)):
            held.check()
            dependencies.db.projects.observe(project_id, subnet_pool_id=networking.ensure_subnet_pool())
    return namespace


def ensure_membership(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """Make the service user a member while anything is left to delete: a tenant may have revoked the role.

    What is left of a project that is gone is not recorded any more, so that the next steps skip it.

    :raises failures.ProjectGone: while that is not confirmed.
    """
    project_id = namespace.project_id
    project = dependencies.db.projects.ensure(project_id)
    if project.member_granted or not _is_anything_left(namespace, project):
        return namespace
    try:
        _join(dependencies, project_id)
    except failures.ProjectGone:
        if not dependencies.gone_projects.is_confirmed(project_id):
            raise
        return _abandon(dependencies, namespace)
    return namespace


def _abandon(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """Drop the IDs of what only a member of the project could delete, and log them for the operator."""
    project = dependencies.db.projects.get(namespace.project_id)
    LOG.warning(
        "Project %s is gone. Delete what remains in Neutron of its namespace %s: network %s, subnet %s, security group "
        "%s, router %s, subnet pool %s",
        project.id,
        namespace.name,
        namespace.network_id if namespace.requested_network_id is None else None,
        namespace.subnet_id if namespace.requested_network_id is None else None,
        namespace.security_group_id,
        project.router_id,
        project.subnet_pool_id,
    )
    cleared = dict.fromkeys(("network_id", "subnet_id", "subnet_cidr", "router_id", "security_group_id"))
    return dependencies.db.namespaces.observe(namespace.id, **cleared)


def _join(dependencies: context.Dependencies, project_id: ids.ProjectId) -> None:
    with dependencies.leases.hold(project_lease(project_id), wait=_LEASE_WAIT):
        dependencies.cloud.keystone.grant_member(project_id)
        dependencies.db.projects.observe(project_id, member_granted=True)


def forget(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """Delete the record, and with the project's last one its router, its pool and the membership."""
    project_id = namespace.project_id
    with dependencies.leases.hold(project_lease(project_id), wait=_LEASE_WAIT) as held:
        # Under the lease, so that of two namespaces deleted at the same time the second sees that it is the last.
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
        # In any case: a killed run may have granted it without recording it.
        dependencies.cloud.keystone.revoke_member(project_id)
        dependencies.db.projects.observe(project_id, member_granted=False)
    except errors.Refused as error:
        # The tenant has attached something to the router, or an operator granted the role. Both are kept and reused.
        LOG.info("Project %s keeps resources of Hypernetes: %s", project_id, error)


def _delete_project_parts(dependencies: context.Dependencies, project: records.Project, held: lease.Lease) -> None:
    networking = dependencies.cloud.project(project.id)
    if project.router_id is None and (router_id := networking.find_router()) is not None:
        project = dependencies.db.projects.observe(project.id, router_id=router_id)
    if project.subnet_pool_id is None and (pool_id := networking.find_subnet_pool()) is not None:
        project = dependencies.db.projects.observe(project.id, subnet_pool_id=pool_id)
    networking.delete_duplicates((project.router_id, project.subnet_pool_id))
    held.check()
    if (router_id := project.router_id) is not None:
        with _unrecorded(dependencies, project.id, router_id=router_id):
            networking.delete_router(router_id)
    held.check()
    if (pool_id := project.subnet_pool_id) is not None:
        with _unrecorded(dependencies, project.id, subnet_pool_id=pool_id):
            networking.delete_subnet_pool(pool_id)


@contextlib.contextmanager
def _unrecorded(dependencies: context.Dependencies, project_id: ids.ProjectId, **recorded: str) -> Iterator[None]:
    """Clear recorded IDs for the deletion of what they name, and restore them if it is refused.

    Cleared first: what a kill leaves unrecorded is found by its mark, but a recorded ID would be trusted.
    """
    dependencies.db.projects.observe(project_id, **dict.fromkeys(recorded))
    try:
        yield
    except errors.HypernetesError:
        dependencies.db.projects.observe(project_id, **recorded)
        raise


def _is_complete(project: records.Project) -> bool:
    return project.member_granted and project.router_id is not None and project.subnet_pool_id is not None


def _is_anything_left(namespace: records.Namespace, project: records.Project) -> bool:
    """Tell whether anything is recorded that only a member of the project can delete."""
    parts: list[str | None] = [namespace.security_group_id, project.router_id, project.subnet_pool_id]
    if namespace.requested_network_id is None:
        parts += [namespace.subnet_id, namespace.network_id]
    return any(part is not None for part in parts)
