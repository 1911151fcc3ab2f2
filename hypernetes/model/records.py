# SPDX-License-Identifier: Apache-2.0
"""The domain records: what a client asked for, and what was last seen of it.

A record is frozen. A change of intent is a new record (``dataclasses.replace``), made from the locked one by the
function given to the repository's ``change``. ``generation`` grows with each such change, so that an observation can
say which intent it was made for.
"""

import datetime
from dataclasses import dataclass
from dataclasses import field

from hypernetes.model import ids
from hypernetes.model import states


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Kubernetes cluster shared by many projects."""

    id: ids.ClusterId
    name: str
    status: states.ClusterStatus
    kubernetes_version: str
    """Version with the leading v, for instance ``v1.37.2``."""
    service_subnet: str
    """CIDR of the Services' virtual addresses."""
    control_node_ids: tuple[ids.NodeId, ...]
    """Nodes that run apiserver and etcd; the first one initializes the cluster."""
    status_reason: str | None = None
    phase: str | None = None
    """Name of the bootstrap phase in progress; None before the first and after the last."""
    api_address: str | None = None
    """URL of the apiserver, once a control node has reported its address."""
    ca_certificate: str | None = None
    """PEM of the CA that signed the apiserver's certificate; public."""
    client_certificate: str | None = None
    """PEM of the conductor's own client certificate; public."""
    client_key_encrypted: str | None = field(default=None, repr=False)
    """The conductor's private key, encrypted with a key only conductors hold."""
    endpoint: str | None = None
    """DNS name of the apiserver, which its certificate and the nodes' kubeconfigs have; None for a cluster that was
    created before it had one: these have the first control node's address."""
    lost: bool = False
    """Whether it is deleted by force: its control node does not come back, so nothing is asked of the apiserver."""
    generation: int = 1
    """Grows with each change of intent."""
    created_at: datetime.datetime | None = None
    updated_at: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """What was found of one part of a cluster."""

    name: str
    health: states.Health
    detail: str
    """One sentence or two for an operator."""


@dataclass(frozen=True, slots=True)
class Node:
    """A machine (control or worker) on which an agent runs."""

    id: ids.NodeId
    name: str
    """Host name, chassis name and Kubernetes node name in one; a DNS label, unique."""
    status: states.NodeStatus
    status_reason: str | None = None
    cluster_id: ids.ClusterId | None = None
    secret_hash: str | None = field(default=None, repr=False)
    """SHA-256 of the one-time enrollment secret; None once the node is being deleted."""
    secret_expires_at: datetime.datetime | None = None
    token_hash: str | None = field(default=None, repr=False)
    """SHA-256 of the token the agent chose for itself when it enrolled."""
    address: str | None = None
    """Management address the agent reported."""
    agent_version: str | None = None
    boot_id: str | None = None
    last_seen_at: datetime.datetime | None = None
    disabled: bool = False
    """Whether the operator wants no new pods there."""
    disabled_reason: str | None = None
    """Why, in the operator's words."""
    cordoned: bool = False
    """Whether Hypernetes was seen to have cordoned the Kubernetes node; not what kubectl has cordoned."""
    order: str | None = None
    """JSON of the :class:`hypernetes.rpc.messages.PhaseOrder` that the node is to carry out, if any."""
    membership: states.Membership | None = None
    """How far a worker node is on its way into its cluster or out of it; None for any other node."""
    membership_reason: str | None = None
    """What that waits for, or why it failed."""
    signing_request: str | None = None
    """PEM of the CSR for the certificate with which the kubelet joins; public."""
    generation: int = 1
    created_at: datetime.datetime | None = None
    updated_at: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What a node's agent last reported; the database adds the time."""

    node_id: ids.NodeId
    address: str
    agent_version: str
    boot_id: str
    problem: str | None = None
    """What is wrong with the node by its own report; shown as ``status_reason``."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A tenant's namespace: intent and what the conductor last saw of it."""

    id: ids.NamespaceId
    project_id: ids.ProjectId
    cluster_id: ids.ClusterId
    name: str
    status: states.NamespaceStatus
    status_reason: str | None = None
    description: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    """Keys and values of the tenant's labels on the Kubernetes namespace, in the order of the keys."""
    labels_pending: bool = False
    """Whether the labels have changed since they were applied."""
    requested_network_id: ids.NetworkId | None = None
    """An existing network of the project to use; None to create one."""
    requested_cidr: str | None = None
    """CIDR the tenant asked for; None for the next one of the project's subnet pool."""
    network_id: ids.NetworkId | None = None
    """None until Neutron has answered."""
    subnet_id: ids.SubnetId | None = None
    subnet_cidr: str | None = None
    router_id: ids.RouterId | None = None
    security_group_id: ids.SecurityGroupId | None = None
    kubernetes_uid: str | None = None
    """UID of the Kubernetes namespace; one with another UID is not owned by Hypernetes."""
    generation: int = 1
    created_at: datetime.datetime | None = None
    updated_at: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class Port:
    """A pod sandbox's Neutron port."""

    id: ids.PortRecordId
    namespace_id: ids.NamespaceId
    node_id: ids.NodeId
    sandbox_id: ids.SandboxId
    pod_uid: ids.PodUid
    pod_name: str
    status: states.PortStatus
    neutron_port_id: ids.NeutronPortId | None = None
    labeled: bool = True
    """Whether the Neutron port names the pod; a port of a pool does so only after the pod has it."""
    generation: int = 1
    created_at: datetime.datetime | None = None
    updated_at: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class PortPool:
    """How many ready ports a namespace has on a node; it exists while pods of the namespace start there."""

    id: ids.PortPoolId
    namespace_id: ids.NamespaceId
    node_id: ids.NodeId
    size: int
    """Number of ready ports to keep."""
    used_at: datetime.datetime | None = None
    """When a pod last needed a port there; by the database's clock, so that conductors agree."""
    created_at: datetime.datetime | None = None
    updated_at: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class ReadyPort:
    """A Neutron port that waits for a sandbox. Its ID becomes that of the sandbox's port, and stands in its mark."""

    id: ids.PortRecordId
    pool_id: ids.PortPoolId
    status: states.PortStatus
    """CREATING, READY or DELETING."""
    neutron_port_id: ids.NeutronPortId | None = None
    mac_address: str | None = None
    addresses: tuple[tuple[ids.SubnetId, str], ...] = ()
    """Pairs of subnet and address."""
    created_at: datetime.datetime | None = None
    updated_at: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class Volume:
    """The Cinder volume of a persistent volume claim, in the project that owned the claim's namespace."""

    id: ids.VolumeRecordId
    cluster_id: ids.ClusterId
    project_id: ids.ProjectId
    name: str
    """Name of the PersistentVolume, ``pvc-<UID of the claim>``; unique in the cluster, whatever a claim is called."""
    namespace: str
    """Name of the claim's namespace, for people."""
    claim: str
    """Name of the claim, for people."""
    size: int
    """GiB that were asked for."""
    volume_id: ids.CinderVolumeId | None = None
    """None until Cinder has answered."""
    created_at: datetime.datetime | None = None
    updated_at: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """What exists once for a Keystone project that uses the service: its router and its subnet pool."""

    id: ids.ProjectId
    router_id: ids.RouterId | None = None
    subnet_pool_id: ids.SubnetPoolId | None = None
    member_granted: bool = False
    """Whether the service user has granted itself ``member`` there."""
