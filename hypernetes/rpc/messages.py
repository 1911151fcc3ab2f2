# SPDX-License-Identifier: Apache-2.0
"""Everything that crosses AMQP, as frozen dataclasses; :mod:`hypernetes.rpc.codec` turns them into JSON.

A message changes by addition only: a new field has a default. A test freezes the fingerprint of each one.
Everything from an agent carries :class:`Caller`; the conductor checks its token before it looks at the rest.
"""

from dataclasses import dataclass
from dataclasses import field


@dataclass(frozen=True, slots=True)
class Caller:
    """Who an agent says it is, and the token that proves it."""

    node_id: str
    token: str = field(repr=False)


# ---- API → conductor (topic hypernetes-conductor) -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EnrollNode:
    """Call: make (or make again) the AMQP user of a node whose one-time secret the API has verified."""

    node_id: str
    amqp_password: str = field(repr=False)
    """Chosen by the agent, so that a repeated enrollment ends the same."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Answer to :class:`EnrollNode`: how the agent reaches the message bus."""

    transport_url: str = field(repr=False)
    """oslo.messaging URL without the password (``{password}`` stands in its place)."""
    exchange: str
    topic: str


@dataclass(frozen=True, slots=True)
class Wake:
    """Cast: an object's intent has changed; reconcile it. Losing one costs time, never correctness."""

    kind: str
    """cluster, node, namespace or port."""
    id: str


# ---- agent → conductor (topic hypernetes-agents): calls -------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What an agent reports every ``[agent] heartbeat_interval`` seconds."""

    caller: Caller
    hostname: str
    address: str
    agent_version: str
    boot_id: str
    services: dict[str, str] = field(default_factory=dict)
    """Program → state (RUNNING, FATAL, …) of containerd and kubelet."""


@dataclass(frozen=True, slots=True)
class HeartbeatAnswer:
    """What the conductor wants of the node now; the level that a lost cast falls back on."""

    order: "PhaseOrder | None" = None


@dataclass(frozen=True, slots=True)
class PhaseOrder:
    """One bootstrap phase a node is to carry out. Carrying it out twice is harmless."""

    order_id: str
    cluster_id: str
    phase: str
    """A name from :data:`hypernetes.kubernetes.bootstrap.phases.PHASES`."""
    inputs: dict[str, str] = field(default_factory=dict)
    """Rendered files and parameters of the phase (kubeadm configuration, CSR, …); nothing secret."""


@dataclass(frozen=True, slots=True)
class PhaseResult:
    """Call: how a phase ended. Reported until answered."""

    caller: Caller
    order_id: str
    ok: bool
    message: str = ""
    """Why it failed and what to do, for ``status_reason``; at most 2,000 characters."""
    outputs: dict[str, str] = field(default_factory=dict)
    """For instance ``api_address``, ``ca_certificate``, ``client_certificate``."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A pod sandbox as the CNI call described it. The conductor checks it against the apiserver."""

    sandbox_id: str
    pod_namespace: str
    pod_name: str
    pod_uid: str


@dataclass(frozen=True, slots=True)
class AllocatePort:
    """Call: give the sandbox a port; the same sandbox gets the same port however often it asks."""

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
    """With prefix length, for instance ``10.0.0.5/24``."""
    routes: tuple[Route, ...] = ()
    name_servers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReleasePort:
    """Call: the sandbox is gone. Unknown sandboxes are answered as released."""

    caller: Caller
    sandbox_id: str


@dataclass(frozen=True, slots=True)
class ListPorts:
    """Call: which sandboxes of this node hold ports, by the conductor's records."""

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
    """Answer of a call that has nothing to say."""
