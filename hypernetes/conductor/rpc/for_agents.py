# SPDX-License-Identifier: Apache-2.0
"""Calls of agents, after their token was verified."""

import ipaddress
from collections.abc import Mapping

from hypernetes.conductor import dependencies as context
from hypernetes.conductor import orders
from hypernetes.conductor.clusters import results
from hypernetes.conductor.engine import outcome
from hypernetes.conductor.nodes import heartbeats as node_heartbeats
from hypernetes.conductor.nodes import results as membership_results
from hypernetes.conductor.ports import allocator
from hypernetes.conductor.ports import out_of_memory
from hypernetes.conductor.rpc import caller as callers
from hypernetes.model import errors
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.rpc import messages

_REPORTED_LENGTH = 64
_REPORTED_SERVICES = 8


class AgentsEndpoint:
    """Calls of agents. A node speaks for itself only: everything is looked up by the node whose token it is."""

    def __init__(self, dependencies: context.Dependencies, heartbeats: node_heartbeats.Heartbeats) -> None:
        self._dependencies = dependencies
        self._callers = callers.Callers(dependencies.db)
        self._heartbeats = heartbeats
        self._ports = allocator.PortAllocator(dependencies)

    def node_name(self, caller: messages.Caller) -> str:
        """Return the name of the node whose token the caller presents."""
        return self._callers.verify(caller).name

    def heartbeat(self, message: messages.Heartbeat) -> messages.HeartbeatAnswer:
        """Record that the node is alive; return its order.

        :raises errors.BadRequest: its address is not an address, or another field is not printable.
        """
        node = self._callers.verify(message.caller)
        self._heartbeats.add(
            records.NodeReport(
                node_id=node.id,
                address=_address(message.address),
                agent_version=_printable("agent_version", message.agent_version),
                boot_id=_printable("boot_id", message.boot_id),
                problem=_problem(message.services),
            )
        )
        return messages.HeartbeatAnswer(order=orders.decode(node.order))

    def phase_result(self, message: messages.PhaseResult) -> messages.Done:
        """Record the result of the node's order; that of any other order is ignored."""
        node = self._callers.verify(message.caller)
        order = orders.decode(node.order)
        if order is None or order.order_id != message.order_id:
            return messages.Done()
        if not membership_results.accept(self._dependencies, node, order, message):
            results.accept(self._dependencies, node, order, message)
        return messages.Done()

    def allocate_port(self, message: messages.AllocatePort) -> messages.PortBinding:
        """Allocate the port of a sandbox of the node."""
        return self._ports.allocate(self._callers.verify(message.caller), message.sandbox)

    def release_port(self, message: messages.ReleasePort) -> messages.Done:
        """Release the port of a sandbox of the node. The request is recorded now; a reconciler carries it out."""
        node = self._callers.verify(message.caller)
        port = self._dependencies.db.ports.find_by_sandbox(message.sandbox_id)
        if port is None:
            return messages.Done()
        if port.node_id != node.id:
            raise errors.Refused(service="The conductor", reason="the sandbox belongs to another node")
        if port.status is not states.PortStatus.DELETING:
            if message.out_of_memory is not None:
                out_of_memory.report(self._dependencies, node, port, message.out_of_memory)
            try:
                self._dependencies.db.ports.mark_deleting(port.id)
            except errors.NotFound:
                return messages.Done()
        self._dependencies.wake(outcome.Key(kinds.Kind.PORT, port.id))
        return messages.Done()

    def list_ports(self, message: messages.ListPorts) -> messages.PortList:
        """Return the node's ports, without those that are being released."""
        node = self._callers.verify(message.caller)
        living = [
            p for p in self._dependencies.db.ports.list(node_id=node.id) if p.status is not states.PortStatus.DELETING
        ]
        return messages.PortList(
            ports=tuple(
                messages.PortEntry(sandbox_id=port.sandbox_id, port_id=port.neutron_port_id or "") for port in living
            )
        )


def _address(value: str) -> str:
    """Return a node's address in its usual spelling; the apiserver and other nodes connect to it."""
    try:
        return str(ipaddress.ip_address(_printable("address", value)))
    except ValueError as error:
        raise errors.BadRequest(reason=f"address: {value[:64]!r} is not an IP address") from error


def _problem(services: Mapping[str, str]) -> str | None:
    """Return the sentence that names a node's failed programs, or None if none has failed."""
    if len(services) > _REPORTED_SERVICES:
        raise errors.BadRequest(reason=f"services: at most {_REPORTED_SERVICES} are accepted")
    failed = [_printable("services", name) for name, state in sorted(services.items()) if state == "FAILED"]
    if not failed:
        return None
    return f"Programs that have failed on the node: {', '.join(failed)}. Their logs there have the cause."


def _printable(name: str, value: str) -> str:
    if len(value) > _REPORTED_LENGTH or not value.isascii() or not value.isprintable():
        raise errors.BadRequest(reason=f"{name}: at most {_REPORTED_LENGTH} printable ASCII characters are allowed")
    return value
