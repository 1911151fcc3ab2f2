# SPDX-License-Identifier: Apache-2.0
"""The remote calls as tables: name, what goes, what comes back. Client stubs and servers are both built on them.

History of the interface (version, what it added, why):

* 1.0 - enroll_node, wake; heartbeat, phase_result, allocate_port, release_port, list_ports; run_phase.
"""

from dataclasses import dataclass

from hypernetes.rpc import messages

VERSION = "1.0"


@dataclass(frozen=True, slots=True)
class Method:
    """One remote method."""

    name: str
    request: type
    answer: type | None
    """None for a cast, which nobody answers."""


def _table(*methods: Method) -> dict[str, Method]:
    return {method.name: method for method in methods}


FROM_API = _table(
    Method("enroll_node", messages.EnrollNode, messages.Enrolled),
    Method("wake", messages.Wake, None),
)
"""API → conductor."""

FROM_AGENTS = _table(
    Method("heartbeat", messages.Heartbeat, messages.HeartbeatAnswer),
    Method("phase_result", messages.PhaseResult, messages.Done),
    Method("allocate_port", messages.AllocatePort, messages.PortBinding),
    Method("release_port", messages.ReleasePort, messages.Done),
    Method("list_ports", messages.ListPorts, messages.PortList),
)
"""Agent → conductor."""

TO_AGENT = _table(
    Method("run_phase", messages.PhaseOrder, None),
)
"""Conductor → one agent: casts only, since an answer would need the default exchange."""
