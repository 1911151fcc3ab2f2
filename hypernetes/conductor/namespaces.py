# SPDX-License-Identifier: Apache-2.0
"""Namespaces: two step tables, one that makes and one that unmakes.

Each step looks whether its part is recorded, else finds what an interrupted run made, else makes it; then records it.
Only what is recorded is deleted, and what is deleted is recorded no more.
"""

import dataclasses
import time
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any
from typing import ClassVar
from typing import TypeVar

from lightkube.resources import core_v1 as core
from oslo_log import log

from hypernetes.conductor import lease
from hypernetes.conductor import work
from hypernetes.kubernetes.objects import namespace_objects
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import labels
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.openstack import failures

LOG = log.getLogger(__name__)

T = TypeVar("T")
Step = Callable[[work.World, records.Namespace], records.Namespace]
"""Does one thing and returns the record as it is now; raises :class:`work.Waiting` or an error of the model."""

_PROJECT_LEASE_WAIT = 30.0
_POLL = 2.0

_HINDRANCES = frozenset(
    {
        "NamespaceContentRemaining",
        "NamespaceFinalizersRemaining",
        "NamespaceDeletionContentFailure",
        "NamespaceDeletionDiscoveryFailure",
        "NamespaceDeletionGroupVersionParsingFailure",
    }
)
"""Conditions of a namespace that ends: https://pkg.go.dev/k8s.io/api/core/v1#NamespaceConditionType."""
_HINDRANCE_LENGTH = 300
_ORDINARY_END = 30.0
"""Seconds for which pods end in grace; what keeps a namespace longer is told."""


def project_lease(project_id: ids.ProjectId) -> str:
    """Key of the lease under which a project's router and pool are made and unmade."""
    return f"project:{project_id}"


# ---- up -------------------------------------------------------------------------------------------------


def ensure_project(world: work.World, namespace: records.Namespace) -> records.Namespace:
    """The service user is a member of the project; the project has its router and its subnet pool."""
    project_id = namespace.project_id
    # A tenant can delete both. Looked at while something is to be made with them, not in each audit.
    is_looked_at = namespace.status is not states.NamespaceStatus.ACTIVE
    if _is_complete(world.db.projects.ensure(project_id)) and not is_looked_at:
        return namespace
    with world.leases.hold(project_lease(project_id), wait=_PROJECT_LEASE_WAIT) as held:
        project = world.db.projects.get(project_id)
        if not project.member_granted:
            world.cloud.keystone.grant_member(project_id)
            project = world.db.projects.observe(project_id, member_granted=True)
        networking = world.cloud.project(project_id)
        if project.router_id is None or (is_looked_at and not networking.has_router(project.router_id)):
            held.check()
            project = world.db.projects.observe(project_id, router_id=networking.ensure_router())
        pool_id = project.subnet_pool_id
        if pool_id is None or (is_looked_at and not networking.has_subnet_pool(pool_id)):
            held.check()
            world.db.projects.observe(project_id, subnet_pool_id=networking.ensure_subnet_pool())
    return namespace


def ensure_network(world: work.World, namespace: records.Namespace) -> records.Namespace:
    """The namespace's network: the user's own, which must be the project's, or one of ours."""
    networks = world.cloud.networks(namespace.project_id)
    if namespace.network_id is not None:
        if namespace.kubernetes_uid is not None and networks.network(namespace.network_id) is None:
            reason = f"the namespace's network {namespace.network_id} was deleted; delete the namespace"
            raise errors.Refused(service="Neutron", reason=reason)
        return namespace
    if namespace.requested_network_id is not None:
        found = networks.network(namespace.requested_network_id)
        if found is None:
            raise errors.NotFound(kind="network", id=namespace.requested_network_id)
    else:
        found = networks.ensure_network(namespace.id, namespace.name)
    return world.db.namespaces.observe(namespace.id, network_id=found.id)


def ensure_subnet(world: work.World, namespace: records.Namespace) -> records.Namespace:
    """The namespace's subnet: the first one of the user's network, the CIDR asked for, or the pool's next."""
    if namespace.subnet_id is not None:
        return namespace
    networks = world.cloud.networks(namespace.project_id)
    network_id = _present(namespace.network_id)
    if namespace.requested_network_id is not None:
        subnet = networks.first_subnet(network_id)
        if subnet is None:
            raise errors.Refused(service="Neutron", reason=f"the network {network_id} has no IPv4 subnet")
    else:
        pool_id = world.db.projects.get(namespace.project_id).subnet_pool_id
        subnet = networks.ensure_subnet(
            namespace.id,
            namespace.name,
            network_id,
            cidr=namespace.requested_cidr,
            pool_id=_present(pool_id),
        )
    return world.db.namespaces.observe(namespace.id, subnet_id=subnet.id, subnet_cidr=subnet.cidr)


def ensure_router_interface(world: work.World, namespace: records.Namespace) -> records.Namespace:
    """Our subnet is attached to the project's router. A user's own network is routed as the user likes."""
    if namespace.requested_network_id is not None:
        return namespace
    router_id = _present(world.db.projects.get(namespace.project_id).router_id)
    if namespace.router_id == router_id:
        return namespace
    networks = world.cloud.networks(namespace.project_id)
    networks.ensure_router_interface(router_id, _present(namespace.subnet_id))
    return world.db.namespaces.observe(namespace.id, router_id=router_id)


def ensure_security_group(world: work.World, namespace: records.Namespace) -> records.Namespace:
    """Pods of the namespace reach each other and the outside; nobody else reaches them."""
    if namespace.security_group_id is not None:
        return namespace
    group_id = world.cloud.networks(namespace.project_id).ensure_security_group(namespace.id, namespace.name)
    return world.db.namespaces.observe(namespace.id, security_group_id=group_id)


def ensure_kubernetes_namespace(world: work.World, namespace: records.Namespace) -> records.Namespace:
    """The Kubernetes namespace exists and is ours: created by us, never taken over."""
    client = world.clusters.of(world.db.clusters.get(namespace.cluster_id))
    found = client.find(core.Namespace, namespace.name)
    if namespace.kubernetes_uid is not None:
        if found is None or _uid(found) != namespace.kubernetes_uid:
            reason = f"the namespace {namespace.name} was deleted or replaced in the cluster; delete it here too"
            raise errors.Refused(service="Kubernetes", reason=reason)
        return namespace
    if found is None:
        found = client.create(namespace_objects.namespace(namespace))
    elif not _is_ours(found, namespace):
        raise errors.NameTaken(kind="namespace", name=namespace.name)
    return world.db.namespaces.observe(namespace.id, kubernetes_uid=_uid(found))


def apply_contents(world: work.World, namespace: records.Namespace) -> records.Namespace:
    """Quota, defaults and role bindings; quota first, so that nobody gets in before it holds."""
    client = world.clusters.of(world.db.clusters.get(namespace.cluster_id))
    for item in namespace_objects.contents(namespace):
        client.apply(item)
    return namespace


def activate(world: work.World, namespace: records.Namespace) -> records.Namespace:
    """Say that pods can run."""
    if namespace.status is states.NamespaceStatus.ACTIVE and namespace.status_reason is None:
        return namespace
    return world.db.namespaces.observe(
        namespace.id, expect=namespace.generation, status=states.NamespaceStatus.ACTIVE, status_reason=None
    )


STEPS_UP: tuple[Step, ...] = (
    ensure_project,
    ensure_network,
    ensure_subnet,
    ensure_router_interface,
    ensure_security_group,
    ensure_kubernetes_namespace,
    apply_contents,
    activate,
)


# ---- down -----------------------------------------------------------------------------------------------


def delete_kubernetes_namespace(world: work.World, namespace: records.Namespace) -> records.Namespace:
    """The Kubernetes namespace is gone, and with it the pods. One that is not ours is left alone."""
    cluster = world.db.clusters.get(namespace.cluster_id)
    client = world.clusters.of(cluster)
    found = client.find(core.Namespace, namespace.name)
    if found is None:
        return namespace
    if namespace.kubernetes_uid is None:
        if not _is_ours(found, namespace):
            return namespace
        namespace = world.db.namespaces.observe(namespace.id, kubernetes_uid=_uid(found))
    if _uid(found) != namespace.kubernetes_uid:
        return namespace
    if found.metadata is not None and found.metadata.deletionTimestamp is None:
        client.delete(core.Namespace, namespace.name, uid=namespace.kubernetes_uid)
    reason = "Kubernetes is ending the namespace's pods."
    began = found.metadata.deletionTimestamp if found.metadata is not None else None
    # At first it is in order that something is left.
    if began is not None and time.time() - began.timestamp() > _ORDINARY_END:
        reason = " ".join((reason, *_hindrances(found)))
    raise work.Waiting(reason, _POLL)


def _hindrances(found: core.Namespace) -> list[str]:
    """What the apiserver says still keeps a namespace: objects, their finalizers, an extension that does not answer."""
    conditions = (found.status.conditions if found.status is not None else None) or []
    told = [c for c in conditions if c.type in _HINDRANCES and c.status == "True" and c.message]
    return [(c.message or "").strip().rstrip(".")[:_HINDRANCE_LENGTH] + "." for c in told]


def await_ports(world: work.World, namespace: records.Namespace) -> records.Namespace:
    """No port is left. The pods are gone, so what their nodes have not given back is taken back."""
    ports = world.db.ports.by_namespace(namespace.id)
    if not ports:
        _delete_stray_ports(world, namespace)
        return namespace
    for port in ports:
        if port.status is not states.PortStatus.DELETING:
            world.db.ports.observe(port.id, status=states.PortStatus.DELETING)
        world.wake(work.Key("port", port.id))
    raise work.Waiting(f"{len(ports)} ports are being deleted.", 1.0)


def _delete_stray_ports(world: work.World, namespace: records.Namespace) -> None:
    """Delete pods' ports on the network that no record names: made by a request whose answer came too late."""
    if namespace.network_id is None:
        return
    # A user's own network may serve several namespaces, so the records of all count.
    for record_id, port_id in world.cloud.ports.pod_ports(namespace.project_id, namespace.network_id):
        try:
            world.db.ports.get(record_id)
        except errors.NotFound:
            LOG.warning("Port %s of namespace %s has no record; it is deleted", port_id, namespace.id)
            world.cloud.ports.delete(port_id)


def delete_router_interface(world: work.World, namespace: records.Namespace) -> records.Namespace:
    """The subnet is detached from the project's router."""
    if namespace.requested_network_id is not None:
        return namespace
    router_id = namespace.router_id or world.db.projects.ensure(namespace.project_id).router_id
    if router_id is not None and namespace.subnet_id is not None:
        world.cloud.networks(namespace.project_id).delete_router_interface(router_id, namespace.subnet_id)
    return namespace


def ensure_membership(world: work.World, namespace: records.Namespace) -> records.Namespace:
    """We are a member while something of ours is left: a tenant may have taken the role away."""
    project_id = namespace.project_id
    project = world.db.projects.ensure(project_id)
    if project.member_granted or not _is_anything_left(namespace, project):
        return namespace
    with world.leases.hold(project_lease(project_id), wait=_PROJECT_LEASE_WAIT):
        world.cloud.keystone.grant_member(project_id)
        world.db.projects.observe(project_id, member_granted=True)
    return namespace


def record_unrecorded(world: work.World, namespace: records.Namespace) -> records.Namespace:
    """Record what an interrupted run made but did not record, so that it is deleted by its recorded id."""
    if not world.db.projects.ensure(namespace.project_id).member_granted:
        # Nothing can have been made there without a membership.
        return namespace
    networks = world.cloud.networks(namespace.project_id)
    seen: dict[str, Any] = {}
    if namespace.requested_network_id is None:
        if namespace.network_id is None and (network := networks.find_network(namespace.id)) is not None:
            seen["network_id"] = network.id
        if namespace.subnet_id is None and (subnet := networks.find_subnet(namespace.id)) is not None:
            seen["subnet_id"] = subnet.id
    if namespace.security_group_id is None and (group_id := networks.find_security_group(namespace.id)) is not None:
        seen["security_group_id"] = group_id
    return world.db.namespaces.observe(namespace.id, **seen) if seen else namespace


def delete_duplicates(world: work.World, namespace: records.Namespace) -> records.Namespace:
    """What a late answer had us make twice is gone; what is recorded goes in the next steps."""
    if world.db.projects.ensure(namespace.project_id).member_granted:
        kept = (namespace.network_id, namespace.subnet_id, namespace.security_group_id)
        # Of a user's own network nothing is ours but the security group.
        of_networks = namespace.requested_network_id is None
        world.cloud.networks(namespace.project_id).delete_duplicates(namespace.id, kept, of_networks=of_networks)
    return namespace


def delete_subnet(world: work.World, namespace: records.Namespace) -> records.Namespace:
    """Our subnet is gone; a user's own stays."""
    if namespace.requested_network_id is None and namespace.subnet_id is not None:
        world.cloud.networks(namespace.project_id).delete_subnet(namespace.subnet_id)
        return world.db.namespaces.observe(namespace.id, subnet_id=None, subnet_cidr=None)
    return namespace


def delete_network(world: work.World, namespace: records.Namespace) -> records.Namespace:
    """Our network is gone; a user's own stays."""
    if namespace.requested_network_id is None and namespace.network_id is not None:
        world.cloud.networks(namespace.project_id).delete_network(namespace.network_id)
        return world.db.namespaces.observe(namespace.id, network_id=None)
    return namespace


def delete_security_group(world: work.World, namespace: records.Namespace) -> records.Namespace:
    """The security group is gone."""
    if namespace.security_group_id is not None:
        world.cloud.networks(namespace.project_id).delete_security_group(namespace.security_group_id)
        return world.db.namespaces.observe(namespace.id, security_group_id=None)
    return namespace


def forget(world: work.World, namespace: records.Namespace) -> records.Namespace:
    """The record is gone; with the project's last one go its router, its pool and our membership."""
    project_id = namespace.project_id
    with world.leases.hold(project_lease(project_id), wait=_PROJECT_LEASE_WAIT) as held:
        # Under the lease, so that of two namespaces deleted at a time the second sees that it is the last.
        others = [other for other in world.db.namespaces.list(project_id=project_id) if other.id != namespace.id]
        if not others:
            _release_project(world, project_id, held)
        world.db.namespaces.delete(namespace.id)
    return namespace


STEPS_DOWN: tuple[Step, ...] = (
    delete_kubernetes_namespace,
    await_ports,
    ensure_membership,
    record_unrecorded,
    delete_router_interface,
    delete_duplicates,
    delete_subnet,
    delete_network,
    delete_security_group,
    forget,
)


def _release_project(world: work.World, project_id: ids.ProjectId, held: lease.Lease) -> None:
    project = world.db.projects.ensure(project_id)
    try:
        if project.member_granted:
            _delete_project_parts(world, project, held)
        held.check()
        # In any case: a run that was killed may have granted it without recording so.
        world.cloud.keystone.revoke_member(project_id)
        world.db.projects.observe(project_id, member_granted=False)
    except errors.Refused as error:
        # The tenant has attached something of its own, or the operator made us a member. Both stay, and are used again.
        LOG.info("Project %s keeps something of ours: %s", project_id, error)


def _delete_project_parts(world: work.World, project: records.Project, held: lease.Lease) -> None:
    networking = world.cloud.project(project.id)
    if project.router_id is None and (router_id := networking.find_router()) is not None:
        project = world.db.projects.observe(project.id, router_id=router_id)
    if project.subnet_pool_id is None and (pool_id := networking.find_subnet_pool()) is not None:
        project = world.db.projects.observe(project.id, subnet_pool_id=pool_id)
    networking.delete_duplicates((project.router_id, project.subnet_pool_id))
    held.check()
    # Forgotten first: what a kill leaves unrecorded is found by its mark, a recorded id of nothing would be believed.
    if (router_id := project.router_id) is not None:
        world.db.projects.observe(project.id, router_id=None)
        try:
            networking.delete_router(router_id)
        except errors.HypernetesError:
            world.db.projects.observe(project.id, router_id=router_id)
            raise
    held.check()
    if (pool_id := project.subnet_pool_id) is not None:
        world.db.projects.observe(project.id, subnet_pool_id=None)
        try:
            networking.delete_subnet_pool(pool_id)
        except errors.HypernetesError:
            world.db.projects.observe(project.id, subnet_pool_id=pool_id)
            raise


# ---- the reconciler -------------------------------------------------------------------------------------


class NamespaceReconciler:
    """Runs the steps in order and notes where it stands."""

    kind: ClassVar[str] = "namespace"

    def __init__(self, world: work.World) -> None:
        self._world = world

    def reconcile(self, identifier: str, held: lease.Lease) -> work.Outcome:
        """Bring a namespace up, or down when it is DELETING."""
        try:
            namespace = self._world.db.namespaces.get(identifier)
        except errors.NotFound:
            return work.Settled()
        deleting = namespace.status is states.NamespaceStatus.DELETING
        for step in STEPS_DOWN if deleting else STEPS_UP:
            held.check()
            try:
                namespace = step(self._world, namespace)
            except work.Waiting as waiting:
                self._note(namespace, waiting.reason)
                return work.Again(waiting.after)
            except errors.StaleGeneration:
                return work.Again(0.0)
            except failures.NotAMember as error:
                # Somebody took the membership away: the next run grants it again.
                self._world.db.projects.observe(namespace.project_id, member_granted=False)
                self._note(namespace, error.detail)
                return work.Failed()
            except errors.Unavailable as error:
                self._note(namespace, error.detail)
                return work.Failed()
            except errors.HypernetesError as error:
                LOG.warning("Namespace %s: %s: %s", namespace.id, step.__name__, error)
                self._note(namespace, error.detail, None if deleting else states.NamespaceStatus.ERROR)
                return work.Failed()
            except (lease.LeaseLost, lease.Busy):
                raise
            except Exception:
                # A fault of ours. Its text is the operator's; its existence is the user's, who would wait for ever.
                self._note(namespace, errors.Unexpected(object=f"namespace {namespace.id}").detail)
                raise
        return work.Settled()

    def unsettled(self) -> Iterable[str]:
        """Namespaces that are being made or unmade, or wait for something refused to be put right."""
        wanted = (
            states.NamespaceStatus.CREATING,
            states.NamespaceStatus.DELETING,
            states.NamespaceStatus.ERROR,
        )
        return [namespace.id for namespace in self._world.db.namespaces.list(status=wanted)]

    def audited(self) -> Iterable[str]:
        """The ACTIVE ones: their network must exist still, their bindings and quota must be ours still."""
        return [n.id for n in self._world.db.namespaces.list(status=states.NamespaceStatus.ACTIVE)]

    def _note(self, namespace: records.Namespace, reason: str, status: states.NamespaceStatus | None = None) -> None:
        seen = dataclasses.replace(namespace, status_reason=reason, status=status or namespace.status)
        if seen == namespace:
            return
        try:
            self._world.db.namespaces.observe(
                namespace.id, expect=namespace.generation, status=seen.status, status_reason=reason
            )
        except (errors.StaleGeneration, errors.NotFound):
            # The intent has changed meanwhile; the next run speaks of the new one.
            return


def _is_complete(project: records.Project) -> bool:
    return project.member_granted and project.router_id is not None and project.subnet_pool_id is not None


def _is_anything_left(namespace: records.Namespace, project: records.Project) -> bool:
    """Whether something that we made is recorded, which only a member of the project can delete."""
    parts: list[str | None] = [namespace.security_group_id, project.router_id, project.subnet_pool_id]
    if namespace.requested_network_id is None:
        parts += [namespace.subnet_id, namespace.network_id]
    return any(part is not None for part in parts)


def _present(value: T | None) -> T:
    """What an earlier step has recorded."""
    if value is None:
        # Somebody else unmade it between the steps; the next run begins with what is missing.
        raise work.Waiting("An earlier step is done again.", 1.0)
    return value


def _uid(item: core.Namespace) -> str:
    return str(item.metadata.uid) if item.metadata is not None else ""


def _is_ours(item: core.Namespace, namespace: records.Namespace) -> bool:
    """Whether we created it for this record: only cluster administrators can set labels of namespaces."""
    found = (item.metadata.labels if item.metadata is not None else None) or {}
    return found.get(labels.NAMESPACE) == namespace.id
