# SPDX-License-Identifier: Apache-2.0
"""Pods' ports: given to a sandbox once, taken back for certain.

Giving is done while the agent waits (:meth:`PortGiver.allocate`), taking back by the reconciler. Between them stand the
record (written before Neutron is asked) and the description of the Neutron port (which names the record), so that a
kill between any two lines leaves nothing that is not found again.
"""

import dataclasses
import ipaddress
import re
from collections.abc import Iterable
from typing import ClassVar

from lightkube.resources import core_v1 as core
from oslo_log import log

from hypernetes.conductor import lease
from hypernetes.conductor import work
from hypernetes.kubernetes.objects import limits
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import labels
from hypernetes.model import names
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.openstack.neutron import records as neutron
from hypernetes.rpc import messages

LOG = log.getLogger(__name__)

_SERVICE = "The conductor"
_SANDBOX_ID = re.compile(r"[0-9a-f]{1,64}")


class PortGiver:
    """Gives pod sandboxes their ports."""

    def __init__(self, world: work.World) -> None:
        self._world = world

    def allocate(self, node: records.Node, sandbox: messages.Sandbox) -> messages.PortBinding:
        """The sandbox's port, made now if it has none.

        :raises errors.BadRequest: no sandbox, pod or namespace can be called so.
        :raises errors.Refused: the pod is not one of that node, or not one of a tenant.
        :raises errors.QuotaExceeded: the project may have no more ports.
        :raises errors.Unavailable: ask again.
        """
        _require_names(sandbox)
        world = self._world
        if node.cluster_id is None:
            raise errors.Refused(service=_SERVICE, reason=f"the node {node.name} belongs to no cluster")
        namespace = world.db.namespaces.by_name(node.cluster_id, sandbox.pod_namespace)
        if namespace.status is not states.NamespaceStatus.ACTIVE:
            raise errors.Unavailable(service=_SERVICE, reason=f"the namespace {namespace.name} is {namespace.status}")
        pod = self._verified_pod(node, sandbox)
        address = requested_address(pod, namespace)
        try:
            with world.leases.hold(f"sandbox:{sandbox.sandbox_id}", wait=world.conf.conductor.allocate_wait) as held:
                port = self._record(node, namespace, sandbox)
                held.check()
                made = self._make(node, namespace, port, address)
                self._note(port, made)
        except (lease.Busy, lease.LeaseLost, errors.StaleGeneration) as error:
            raise errors.Unavailable(service=_SERVICE, reason="another request about the sandbox goes on") from error
        return dataclasses.replace(self._binding(namespace, made), ephemeral_storage=limits.ephemeral_storage(pod))

    def _verified_pod(self, node: records.Node, sandbox: messages.Sandbox) -> core.Pod:
        """Believe the apiserver, not the node: the pod must exist with that uid and be bound to that node."""
        cluster = self._world.db.clusters.get(_present(node.cluster_id))
        pod = self._world.clusters.of(cluster).find(core.Pod, sandbox.pod_name, sandbox.pod_namespace)
        if pod is None or pod.metadata is None or pod.spec is None or pod.metadata.uid != sandbox.pod_uid:
            reason = f"the cluster has no pod {sandbox.pod_namespace}/{sandbox.pod_name} with the uid {sandbox.pod_uid}"
            raise errors.Refused(service=_SERVICE, reason=reason)
        if pod.spec.nodeName != node.name:
            raise errors.Refused(service=_SERVICE, reason=f"the pod {sandbox.pod_uid} is not bound to {node.name}")
        if pod.spec.hostNetwork:
            raise errors.Refused(service=_SERVICE, reason=f"the pod {sandbox.pod_uid} uses its host's network")
        return pod

    def _record(self, node: records.Node, namespace: records.Namespace, sandbox: messages.Sandbox) -> records.Port:
        ports = self._world.db.ports
        port = ports.by_sandbox(sandbox.sandbox_id)
        if port is None:
            limit = self._world.conf.conductor.sandboxes_per_pod
            if len(ports.list(node_id=node.id, pod_uid=sandbox.pod_uid)) >= limit:
                reason = f"the pod {sandbox.pod_uid} holds {limit} ports already"
                raise errors.Refused(service=_SERVICE, reason=reason)
            port = ports.create(
                records.Port(
                    id=ids.PortRecordId(ids.new_uuid()),
                    namespace_id=namespace.id,
                    node_id=node.id,
                    sandbox_id=ids.SandboxId(sandbox.sandbox_id),
                    pod_uid=ids.PodUid(sandbox.pod_uid),
                    pod_name=sandbox.pod_name,
                    status=states.PortStatus.CREATING,
                )
            )
            # The namespace's deletion looks for ports after it is DELETING. It has seen this record, or we see that.
            if self._world.db.namespaces.get(namespace.id).status is states.NamespaceStatus.DELETING:
                self._give_up(port)
                raise errors.Refused(service=_SERVICE, reason=f"the namespace {namespace.name} is being deleted")
        if port.node_id != node.id or port.pod_uid != sandbox.pod_uid or port.namespace_id != namespace.id:
            LOG.warning("Node %s asked for the port of sandbox %s, which is another's", node.name, sandbox.sandbox_id)
            raise errors.Refused(service=_SERVICE, reason=f"the sandbox {sandbox.sandbox_id} is another pod's")
        if port.status is states.PortStatus.DELETING:
            reason = f"the port of sandbox {sandbox.sandbox_id} is being deleted"
            raise errors.Refused(service=_SERVICE, reason=reason)
        return port

    def _make(
        self, node: records.Node, namespace: records.Namespace, port: records.Port, address: str | None
    ) -> neutron.Port:
        if namespace.network_id is None or namespace.subnet_id is None or namespace.security_group_id is None:
            raise errors.Unavailable(service=_SERVICE, reason=f"the namespace {namespace.name} has no network")
        ports = self._world.cloud.ports
        if port.neutron_port_id is not None:
            known = ports.get(port.neutron_port_id)
            if known is not None:
                return known
        try:
            return ports.ensure(
                port.id,
                project_id=namespace.project_id,
                network_id=namespace.network_id,
                subnet_id=namespace.subnet_id,
                security_group_id=namespace.security_group_id,
                pod_uid=port.pod_uid,
                pod_name=port.pod_name,
                host=node.name,
                address=address,
            )
        except (errors.QuotaExceeded, errors.Refused):
            # kubelet tries with a new sandbox; this one's record must not count as a port.
            self._give_up(port)
            raise

    def _note(self, port: records.Port, made: neutron.Port) -> None:
        if port.neutron_port_id == made.id and port.status is states.PortStatus.ACTIVE:
            return
        try:
            self._world.db.ports.observe(port.id, neutron_port_id=made.id, status=states.PortStatus.ACTIVE)
        except errors.NotFound:
            # The lease ran out while Neutron was slow, and the record was deleted: this is the last who knows the id.
            self._world.cloud.ports.delete(made.id)
            raise

    def _give_up(self, port: records.Port) -> None:
        self._world.db.ports.observe(port.id, status=states.PortStatus.DELETING)
        self._world.wake(work.Key("port", port.id))

    def _binding(self, namespace: records.Namespace, port: neutron.Port) -> messages.PortBinding:
        network = self._world.cloud.ports.network(port.network_id)
        subnets = [self._world.cloud.ports.subnet(subnet_id) for subnet_id, _ in port.addresses]
        if network is None or not subnets or None in subnets:
            raise errors.Unavailable(service="Neutron", reason=f"the network of port {port.id} is gone")
        return binding(namespace.id, port, network, [subnet for subnet in subnets if subnet is not None])


def _require_names(sandbox: messages.Sandbox) -> None:
    """A node writes these, and they become parts of paths, of Neutron's descriptions and of log lines."""
    for field, good in (
        ("pod_name", names.is_dns_subdomain(sandbox.pod_name)),
        ("pod_namespace", names.is_dns_label(sandbox.pod_namespace)),
        ("pod_uid", ids.is_uuid(sandbox.pod_uid)),
        ("sandbox_id", _SANDBOX_ID.fullmatch(sandbox.sandbox_id) is not None),
    ):
        if not good:
            raise errors.BadRequest(reason=f"{field} is malformed")


def requested_address(pod: core.Pod, namespace: records.Namespace) -> str | None:
    """The address a pod asks for by annotation, in the form Neutron writes it; None where it asks for none.

    :raises errors.Refused: it is no address, or not one of the namespace's subnet.
    """
    annotations = (pod.metadata.annotations if pod.metadata else None) or {}
    wanted = annotations.get(labels.ADDRESS_ANNOTATION)
    if wanted is None:
        return None
    try:
        address = ipaddress.ip_address(wanted)
    except ValueError as error:
        reason = f"the annotation {labels.ADDRESS_ANNOTATION} holds {wanted[:64]!r}, which is no address"
        raise errors.Refused(service=_SERVICE, reason=reason) from error
    if namespace.subnet_cidr is not None and address not in ipaddress.ip_network(namespace.subnet_cidr):
        reason = f"the address {address} is not in the namespace's subnet {namespace.subnet_cidr}"
        raise errors.Refused(service=_SERVICE, reason=reason)
    return str(address)


def binding(
    namespace_id: ids.NamespaceId, port: neutron.Port, network: neutron.Network, subnets: list[neutron.Subnet]
) -> messages.PortBinding:
    """What the node needs to know of a port: its addresses with the subnets' prefix lengths, and their routes."""
    by_id = {subnet.id: subnet for subnet in subnets}
    addresses: list[str] = []
    routes: list[messages.Route] = []
    name_servers: list[str] = []
    for subnet_id, address in port.addresses:
        subnet = by_id[subnet_id]
        addresses.append(f"{address}/{ipaddress.ip_network(subnet.cidr).prefixlen}")
        everywhere = "0.0.0.0/0" if subnet.ip_version == 4 else "::/0"
        if subnet.gateway is not None:
            routes.append(messages.Route(destination=everywhere, gateway=subnet.gateway))
        routes.extend(messages.Route(destination=to, gateway=via) for to, via in subnet.host_routes)
        name_servers.extend(server for server in subnet.name_servers if server not in name_servers)
    return messages.PortBinding(
        port_id=port.id,
        namespace_id=namespace_id,
        mac_address=port.mac_address,
        mtu=network.mtu,
        addresses=tuple(addresses),
        routes=tuple(routes),
        name_servers=tuple(name_servers),
    )


class PortReconciler:
    """Takes ports back: deletes them in Neutron, then their records."""

    kind: ClassVar[str] = "port"

    def __init__(self, world: work.World) -> None:
        self._world = world

    def reconcile(self, identifier: str, held: lease.Lease) -> work.Outcome:
        """Finish a port that is DELETING; others are their agents' business."""
        world = self._world
        try:
            port = world.db.ports.get(identifier)
            if port.status is not states.PortStatus.DELETING:
                return work.Settled()
            # A request for the same sandbox may be in the middle of making what is deleted here.
            with world.leases.hold(f"sandbox:{port.sandbox_id}"):
                port = world.db.ports.get(identifier)
                held.check()
                if port.neutron_port_id is not None:
                    world.cloud.ports.delete(port.neutron_port_id)
                self._delete_duplicates(port)
                world.db.ports.delete(port.id)
        except errors.NotFound:
            return work.Settled()
        except errors.HypernetesError as error:
            LOG.warning("Port %s could not be deleted yet: %s", identifier, error)
            return work.Failed()
        return work.Settled()

    def _delete_duplicates(self, port: records.Port) -> None:
        """Delete what was made just before a kill, or by a request whose answer came too late."""
        namespace = self._world.db.namespaces.get(port.namespace_id)
        node = self._world.db.nodes.get(port.node_id)
        self._world.cloud.ports.delete_duplicates(port.id, namespace.project_id, node.name)

    def unsettled(self) -> Iterable[str]:
        """Those to be deleted."""
        return [port.id for port in self._world.db.ports.list(status=states.PortStatus.DELETING)]

    def audited(self) -> Iterable[str]:
        """None: :mod:`hypernetes.conductor.gc` looks after the living."""
        return ()


def _present(cluster_id: ids.ClusterId | None) -> ids.ClusterId:
    if cluster_id is None:
        raise errors.Refused(service=_SERVICE, reason="the node belongs to no cluster")
    return cluster_id
