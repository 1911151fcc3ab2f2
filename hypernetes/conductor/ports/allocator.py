# SPDX-License-Identifier: Apache-2.0
"""Allocates a sandbox's port while its agent waits.

The record is written before Neutron is asked, and the description of the Neutron port names the record, so that a kill
between any two lines leaves nothing that is not found again. The reconciler releases ports.
"""

import dataclasses
import re

from oslo_log import log

from hypernetes.conductor import dependencies as context
from hypernetes.conductor.engine import lease
from hypernetes.conductor.engine import outcome
from hypernetes.conductor.ports import binding
from hypernetes.conductor.ports import pools
from hypernetes.kubernetes import resources
from hypernetes.kubernetes.objects import limits
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import kinds
from hypernetes.model import names
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.openstack.neutron import records as neutron
from hypernetes.rpc import messages

LOG = log.getLogger(__name__)

_SERVICE = binding.SERVICE

_SANDBOX_ID = re.compile(r"[0-9a-f]{1,64}")


class PortAllocator:
    """Allocates the ports of pod sandboxes."""

    def __init__(self, dependencies: context.Dependencies) -> None:
        self._dependencies = dependencies
        self._pools = pools.Pools(dependencies)

    def allocate(self, node: records.Node, sandbox: messages.Sandbox) -> messages.PortBinding:
        """Return the sandbox's port; create it if there is none.

        :raises errors.BadRequest: a name or an ID is malformed.
        :raises errors.Refused: the pod is not bound to that node, or is not a tenant's.
        :raises errors.QuotaExceeded: the project's port quota is exhausted.
        :raises errors.Unavailable: temporarily; the caller may retry.
        """
        _require_names(sandbox)
        if node.cluster_id is None:
            raise errors.Refused(service=_SERVICE, reason=f"the node {node.name} belongs to no cluster")
        dependencies = self._dependencies
        namespace = dependencies.db.namespaces.get_by_name(node.cluster_id, sandbox.pod_namespace)
        if namespace.status is not states.NamespaceStatus.ACTIVE:
            raise errors.Unavailable(service=_SERVICE, reason=f"the namespace {namespace.name} is {namespace.status}")
        pod = self._verified_pod(node, sandbox)
        address = binding.requested_address(pod, namespace)
        is_first = self._is_first(node, namespace, sandbox)
        try:
            with self._dependencies.leases.hold(
                f"sandbox:{sandbox.sandbox_id}", wait=self._dependencies.conf.conductor.allocate_wait
            ) as held:
                known = dependencies.db.ports.find_by_sandbox(sandbox.sandbox_id)
                made = self._claim(node, namespace, sandbox) if known is None and address is None else None
                missed = made is None
                if made is None:
                    port = self._record(node, namespace, sandbox, known)
                    held.check()
                    made = self._make(node, namespace, port, address, is_new=known is None)
                    self._record_made(port, made)
        except (lease.Busy, lease.LeaseLost, errors.StaleGeneration) as error:
            raise errors.Unavailable(
                service=_SERVICE, reason="another request for this sandbox is in progress"
            ) from error
        if known is None and address is None:
            self._pools.note_use(node, namespace, missed=missed)
        if is_first:
            # Its reconciler admits the node to the namespace's Services.
            dependencies.wake(outcome.Key(kinds.Kind.NAMESPACE, namespace.id))
        options = dependencies.conf.kubernetes
        size = limits.machine_size(pod, options.default_container_memory, options.default_pod_cpus)
        return dataclasses.replace(
            self._binding(namespace, made),
            ephemeral_storage=limits.ephemeral_storage(pod),
            memory_bytes=size.memory,
            cpus=size.cpus,
            project_id=namespace.project_id,
            service_subnet=dependencies.db.clusters.get(node.cluster_id).service_subnet,
        )

    def _is_first(self, node: records.Node, namespace: records.Namespace, sandbox: messages.Sandbox) -> bool:
        """Tell whether the node has no other port in the namespace. Of several at the same time each may be it."""
        known = self._dependencies.db.ports.list(namespace_id=namespace.id, node_id=node.id)
        return all(port.sandbox_id == sandbox.sandbox_id for port in known)

    def _verified_pod(self, node: records.Node, sandbox: messages.Sandbox) -> resources.Pod:
        """Return the pod as the apiserver has it, not as the node describes it: with that UID, bound to that node."""
        cluster = self._dependencies.db.clusters.get(_present(node.cluster_id))
        pod = self._dependencies.clusters.for_cluster(cluster).find(
            resources.Pod, sandbox.pod_name, sandbox.pod_namespace
        )
        if pod is None or pod.metadata is None or pod.spec is None or pod.metadata.uid != sandbox.pod_uid:
            reason = f"the cluster has no pod {sandbox.pod_namespace}/{sandbox.pod_name} with the uid {sandbox.pod_uid}"
            raise errors.Refused(service=_SERVICE, reason=reason)
        if pod.spec.nodeName != node.name:
            raise errors.Refused(service=_SERVICE, reason=f"the pod {sandbox.pod_uid} is not bound to {node.name}")
        if pod.spec.hostNetwork:
            raise errors.Refused(service=_SERVICE, reason=f"the pod {sandbox.pod_uid} uses its host's network")
        return pod

    def _claim(
        self, node: records.Node, namespace: records.Namespace, sandbox: messages.Sandbox
    ) -> neutron.Port | None:
        """Return a port that waits in a pool, or None. Only a sandbox without a record may have one."""
        self._require_room(node, sandbox)
        claimed = self._pools.claim(node, namespace, sandbox)
        if claimed is None:
            return None
        port, made = claimed
        self._require_not_deleting(namespace, port)
        return made

    def _require_room(self, node: records.Node, sandbox: messages.Sandbox) -> None:
        limit = self._dependencies.conf.conductor.sandboxes_per_pod
        if len(self._dependencies.db.ports.list(node_id=node.id, pod_uid=sandbox.pod_uid)) >= limit:
            raise errors.Refused(service=_SERVICE, reason=f"the pod {sandbox.pod_uid} holds {limit} ports already")

    def _require_not_deleting(self, namespace: records.Namespace, port: records.Port) -> None:
        # A deletion lists ports once the namespace is DELETING: it has seen this record, or DELETING is seen here.
        if self._dependencies.db.namespaces.get(namespace.id).status is states.NamespaceStatus.DELETING:
            self._release(port)
            raise errors.Refused(service=_SERVICE, reason=f"the namespace {namespace.name} is being deleted")

    def _record(
        self,
        node: records.Node,
        namespace: records.Namespace,
        sandbox: messages.Sandbox,
        port: records.Port | None,
    ) -> records.Port:
        ports = self._dependencies.db.ports
        if port is None:
            self._require_room(node, sandbox)
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
            self._require_not_deleting(namespace, port)
        if port.node_id != node.id or port.pod_uid != sandbox.pod_uid or port.namespace_id != namespace.id:
            LOG.warning(
                "Node %s asked for the port of sandbox %s, which belongs to another pod or node",
                node.name,
                sandbox.sandbox_id,
            )
            raise errors.Refused(service=_SERVICE, reason=f"the sandbox {sandbox.sandbox_id} belongs to another pod")
        if port.status is states.PortStatus.DELETING:
            reason = f"the port of sandbox {sandbox.sandbox_id} is being deleted"
            raise errors.Refused(service=_SERVICE, reason=reason)
        return port

    def _make(
        self,
        node: records.Node,
        namespace: records.Namespace,
        port: records.Port,
        address: str | None,
        *,
        is_new: bool,
    ) -> neutron.Port:
        if namespace.network_id is None or namespace.subnet_id is None or namespace.security_group_id is None:
            raise errors.Unavailable(service=_SERVICE, reason=f"the namespace {namespace.name} has no network")
        ports = self._dependencies.cloud.ports
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
                is_new=is_new,
            )
        except errors.QuotaExceeded as error:
            if self._pools.give_way(namespace.project_id):
                reason = "ready ports of the project are being released, since its quota of ports is exhausted"
                raise errors.Unavailable(service=_SERVICE, reason=reason) from error
            self._release(port)
            raise
        except errors.Refused:
            # kubelet retries with a new sandbox; this one's record must not count as a port.
            self._release(port)
            # The tenant may have deleted the security group, which is made again then.
            self._dependencies.wake(outcome.Key(kinds.Kind.NAMESPACE, namespace.id))
            raise

    def _record_made(self, port: records.Port, made: neutron.Port) -> None:
        if port.neutron_port_id == made.id and port.status is states.PortStatus.ACTIVE:
            return
        try:
            self._dependencies.db.ports.observe(port.id, neutron_port_id=made.id, status=states.PortStatus.ACTIVE)
        except errors.NotFound:
            # The lease ran out while Neutron was slow, and the record was deleted: nothing else knows the ID any more.
            self._dependencies.cloud.ports.delete(made.id)
            raise

    def _release(self, port: records.Port) -> None:
        self._dependencies.db.ports.mark_deleting(port.id)
        self._dependencies.wake(outcome.Key(kinds.Kind.PORT, port.id))

    def _binding(self, namespace: records.Namespace, port: neutron.Port) -> messages.PortBinding:
        network = self._dependencies.cloud.ports.network(port.network_id)
        subnets = [self._dependencies.cloud.ports.subnet(subnet_id) for subnet_id, _ in port.addresses]
        if network is None or not subnets or None in subnets:
            raise errors.Unavailable(service="Neutron", reason=f"the network of port {port.id} is gone")
        return binding.port_binding(namespace.id, port, network, [subnet for subnet in subnets if subnet is not None])


def _require_names(sandbox: messages.Sandbox) -> None:
    """Check what a node writes and what becomes part of paths, of Neutron's descriptions and of log lines."""
    for field, good in (
        ("pod_name", names.is_dns_subdomain(sandbox.pod_name)),
        ("pod_namespace", names.is_dns_label(sandbox.pod_namespace)),
        ("pod_uid", ids.is_uuid(sandbox.pod_uid)),
        ("sandbox_id", _SANDBOX_ID.fullmatch(sandbox.sandbox_id) is not None),
    ):
        if not good:
            raise errors.BadRequest(reason=f"{field} is malformed")


def _present(cluster_id: ids.ClusterId | None) -> ids.ClusterId:
    if cluster_id is None:
        raise errors.Refused(service=_SERVICE, reason="the node belongs to no cluster")
    return cluster_id
