# SPDX-License-Identifier: Apache-2.0
"""The remote methods: name, request and answer of each. Clients and servers are both built on these tables.

History of the interface (version, what it added, why):

* 1.0 - enroll_node, wake; heartbeat, phase_result, allocate_port, release_port, list_ports; run_phase.
* 1.0, field added - PortBinding.ephemeral_storage: a pod's scratch disk has the size of its limits.
* 1.0, fields added - PortBinding.memory_bytes and .cpus: the machine is sized by each container's limits and requests,
  of which kubelet tells the runtime only sums.
* 1.0, field added - ReleasePort.out_of_memory: the pod gets an event when the node ended its machine for want of
  memory.
* 1.0, method added - check_cluster: operators see a cluster's health at one place. An older conductor refuses it, which
  the API reports as a health that it does not know.
* 1.0, field added - PortBinding.service_subnet: a pod's machine refuses what is sent to the address of no Service.
"""

from dataclasses import dataclass
from typing import Any
from typing import Generic
from typing import TypeVar

from hypernetes.rpc import messages

VERSION = "1.0"

Request = TypeVar("Request")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Call(Generic[Request, Answer]):
    """A method whose caller waits for the answer."""

    name: str
    request: type[Request]
    answer: type[Answer]


@dataclass(frozen=True, slots=True)
class Cast(Generic[Request]):
    """A method without an answer."""

    name: str
    request: type[Request]


Method = Call[Any, Any] | Cast[Any]

ENROLL_NODE = Call("enroll_node", messages.EnrollNode, messages.Enrolled)
WAKE = Cast("wake", messages.Wake)

CHECK_CLUSTER = Call("check_cluster", messages.CheckCluster, messages.CheckResults)

FROM_API: tuple[Method, ...] = (ENROLL_NODE, WAKE, CHECK_CLUSTER)
"""API → conductor."""

HEARTBEAT = Call("heartbeat", messages.Heartbeat, messages.HeartbeatAnswer)
PHASE_RESULT = Call("phase_result", messages.PhaseResult, messages.Done)
ALLOCATE_PORT = Call("allocate_port", messages.AllocatePort, messages.PortBinding)
RELEASE_PORT = Call("release_port", messages.ReleasePort, messages.Done)
LIST_PORTS = Call("list_ports", messages.ListPorts, messages.PortList)

FROM_AGENTS: tuple[Method, ...] = (HEARTBEAT, PHASE_RESULT, ALLOCATE_PORT, RELEASE_PORT, LIST_PORTS)
"""Agent → conductor."""

RUN_PHASE = Cast("run_phase", messages.PhaseOrder)

TO_AGENT: tuple[Method, ...] = (RUN_PHASE,)
"""Conductor → one agent: casts only, since an answer would need the default exchange."""
