# SPDX-License-Identifier: Apache-2.0
"""Everything that crosses AMQP, as frozen dataclasses; :mod:`hypernetes.rpc.codec` turns them into JSON.

A message changes by addition only: a new field has a default. A test freezes the fingerprint of each one.
Everything from an agent carries :class:`Caller`; the conductor checks its token before it looks at the rest.
"""

from dataclasses import dataclass
from dataclasses import field

from hypernetes.model import kinds
from hypernetes.model import states


@dataclass(frozen=True, slots=True)
class Caller:
    """The node for which an agent calls, and the token that proves it."""

    node_id: str
    token: str = field(repr=False)


# ---- API → conductor (topic hypernetes-conductor) -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EnrollNode:
    """Call: create or update the RabbitMQ user of a node whose one-time secret the API has verified."""

    node_id: str
    amqp_password: str = field(repr=False)
    """Chosen by the agent, so that a repeated enrollment has the same result."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Answer to :class:`EnrollNode`: how the agent connects to the message bus."""

    transport_url: str = field(repr=False)
    """oslo.messaging URL without the password (``{password}`` stands in its place)."""
    exchange: str
    topic: str


@dataclass(frozen=True, slots=True)
class Wake:
    """Cast: an object's intent has changed; reconcile it. A lost message costs time, never correctness."""

    kind: kinds.Kind
    id: str


@dataclass(frozen=True, slots=True)
class CheckCluster:
    """Call: find out what the database does not know about a cluster's health."""

    cluster_id: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was found of one part of a cluster."""

    name: str
    health: states.Health
    detail: str


@dataclass(frozen=True, slots=True)
class CheckResults:
    """Answer to :class:`CheckCluster`."""

    checks: tuple[CheckResult, ...]


# ---- agent → conductor (topic hypernetes-agents): calls -------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Call: what an agent reports every ``[agent] heartbeat_interval`` seconds."""

    caller: Caller
    address: str
    agent_version: str
    boot_id: str
    services: dict[str, str] = field(default_factory=dict)
    """Program → state of containerd and kubelet, by :class:`hypernetes.agent.host.services.ServiceState`."""


@dataclass(frozen=True, slots=True)
class HeartbeatAnswer:
    """Answer: what the conductor wants of the node now, so that a lost cast costs one heartbeat at most."""

    order: "PhaseOrder | None" = None


@dataclass(frozen=True, slots=True)
class PhaseOrder:
    """Cast: a bootstrap phase for a node to carry out. Carrying it out twice is harmless."""

    order_id: str
    cluster_id: str
    phase: str
    """A name from :data:`hypernetes.kubernetes.bootstrap.phases.PHASES`."""
    inputs: dict[str, str] = field(default_factory=dict)
    """Rendered files and parameters of the phase (kubeadm configuration, CSR, …); nothing secret."""


@dataclass(frozen=True, slots=True)
class PhaseResult:
    """Call: how a phase ended; repeated until answered."""

    caller: Caller
    order_id: str
    ok: bool
    message: str = ""
    """Why it failed and what to do, for ``status_reason``; at most 2,000 characters."""
    outputs: dict[str, str] = field(default_factory=dict)
    """For example ``api_address``, ``ca_certificate``, ``client_certificate``."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A pod sandbox as the CNI call describes it. The conductor checks it against the apiserver."""

    sandbox_id: str
    pod_namespace: str
    pod_name: str
    pod_uid: str


@dataclass(frozen=True, slots=True)
class AllocatePort:
    """Call: allocate the sandbox's port; repeated calls return the same port."""

    caller: Caller
    sandbox: Sandbox


@dataclass(frozen=True, slots=True)
class Route:
    """A route in the pod."""

    destination: str
    gateway: str


@dataclass(frozen=True, slots=True)
class PortBinding:
    """Answer: what the node needs to plug the port and to configure the pod's interface."""

    port_id: str
    namespace_id: str
    mac_address: str
    mtu: int
    addresses: tuple[str, ...]
    """With prefix length, for example ``10.0.0.5/24``."""
    routes: tuple[Route, ...] = ()
    name_servers: tuple[str, ...] = ()
    ephemeral_storage: int = 0
    """Bytes the pod may write, by its limits; 0 from a conductor that does not say it. Not the port's, but known with
    it and needed at the same time."""
    memory_bytes: int = 0
    """Memory of the pod's machine that is for its containers; 0 from a conductor that does not say it."""
    cpus: int = 0
    """Processors of the pod's machine; so with 0."""
    project_id: str = ""
    """Whose pod it is, so that the node serves projects in turn; empty from a conductor that does not say it."""
    service_subnet: str = ""
    """The cluster's range of Services' addresses; for two families, both with a comma between. Empty from a conductor
    that does not say it."""


@dataclass(frozen=True, slots=True)
class OutOfMemory:
    """How a virtual machine ended that the node's kernel killed for want of memory: guest and emulator together."""

    used: int
    """Bytes, the most at a time."""
    allowed: int
    """Bytes that the containers' memory and the RuntimeClass's overhead allow."""


@dataclass(frozen=True, slots=True)
class ReleasePort:
    """Call: the sandbox is gone; release its port. An unknown sandbox counts as released."""

    caller: Caller
    sandbox_id: str
    out_of_memory: OutOfMemory | None = None
    """Not the port's, but known at the same time: the conductor makes an event of it, since no node may."""


@dataclass(frozen=True, slots=True)
class ListPorts:
    """Call: list the ports of the node's sandboxes by the conductor's records."""

    caller: Caller


@dataclass(frozen=True, slots=True)
class PortEntry:
    """One line of :class:`PortList`."""

    sandbox_id: str
    port_id: str


@dataclass(frozen=True, slots=True)
class PortList:
    """Answer to :class:`ListPorts`."""

    ports: tuple[PortEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """Answer of a call that returns nothing."""
