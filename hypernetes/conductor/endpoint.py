# SPDX-License-Identifier: Apache-2.0
"""What conductors answer: to the API, and to agents after their token was verified."""

import hmac
import ipaddress
from collections.abc import Mapping

from hypernetes.conductor import bootstrap
from hypernetes.conductor import clusters
from hypernetes.conductor import nodes
from hypernetes.conductor import ports
from hypernetes.conductor import work
from hypernetes.model import bus
from hypernetes.model import digests
from hypernetes.model import errors
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.rpc import messages
from hypernetes.rpc import rabbitmq_admin

WAKEABLE = frozenset({kinds.Kind.CLUSTER, kinds.Kind.NODE, kinds.Kind.NAMESPACE, kinds.Kind.PORT})
_REPORTED_LENGTH = 64
_REPORTED_SERVICES = 8


class ApiEndpoint:
    """Calls and casts of the API, which RabbitMQ's permissions let nobody else make."""

    def __init__(self, world: work.World) -> None:
        self._world = world

    def enroll_node(self, message: messages.EnrollNode) -> messages.Enrolled:
        """Make the RabbitMQ user of a node whose secret the API has verified and whose token it has recorded."""
        node = self._world.db.nodes.get(message.node_id)
        if node.status is states.NodeStatus.DELETING or node.token_hash is None:
            raise errors.Conflict(kind="node", id=node.id, reason="it is not being enrolled")
        self._world.broker.ensure_node(node.name, message.amqp_password)
        # A deletion that ran meanwhile has perhaps not seen the user: it must not outlive the record.
        try:
            gone = self._world.db.nodes.get(node.id).status is states.NodeStatus.DELETING
        except errors.NotFound:
            gone = True
        if gone:
            self._world.broker.remove_node(node.name)
            raise errors.Conflict(kind="node", id=node.id, reason="it is being deleted")
        template = self._world.conf.messaging.node_transport_url
        return messages.Enrolled(
            transport_url=template.replace("{user}", rabbitmq_admin.node_user(node.name)),
            exchange=bus.agent_exchange(node.name),
            topic=bus.agent_topic(node.name),
        )

    def wake(self, message: messages.Wake) -> None:
        """Reconcile an object soon."""
        if message.kind in WAKEABLE:
            self._world.wake(work.Key(message.kind, message.id))


class AgentsEndpoint:
    """Calls of agents. A node speaks for itself only: everything is looked up by the node whose token it is."""

    def __init__(self, world: work.World, heartbeats: nodes.Heartbeats) -> None:
        self._world = world
        self._heartbeats = heartbeats
        self._ports = ports.PortGiver(world)

    def heartbeat(self, message: messages.Heartbeat) -> messages.HeartbeatAnswer:
        """Note that the node lives; answer its order.

        :raises errors.BadRequest: it says of itself what is no address, or is not printable.
        """
        node = self._verified(message.caller)
        self._heartbeats.add(
            records.NodeReport(
                node_id=node.id,
                address=_address(message.address),
                agent_version=_printable("agent_version", message.agent_version),
                boot_id=_printable("boot_id", message.boot_id),
                problem=_problem(message.services),
            )
        )
        return messages.HeartbeatAnswer(order=bootstrap.decode_order(node.order))

    def phase_result(self, message: messages.PhaseResult) -> messages.Done:
        """Note how the node's order ended; any other order's result is answered and forgotten."""
        clusters.take_result(self._world, self._verified(message.caller), message)
        return messages.Done()

    def allocate_port(self, message: messages.AllocatePort) -> messages.PortBinding:
        """Give a sandbox of the node its port."""
        return self._ports.allocate(self._verified(message.caller), message.sandbox)

    def release_port(self, message: messages.ReleasePort) -> messages.Done:
        """Take back the port of a sandbox of the node. It is recorded now and done soon, whatever happens to us."""
        node = self._verified(message.caller)
        port = self._world.db.ports.by_sandbox(message.sandbox_id)
        if port is None:
            return messages.Done()
        if port.node_id != node.id:
            raise errors.Refused(service="The conductor", reason="the sandbox is another node's")
        if port.status is not states.PortStatus.DELETING:
            try:
                self._world.db.ports.observe(port.id, status=states.PortStatus.DELETING)
            except errors.NotFound:
                return messages.Done()
        self._world.wake(work.Key("port", port.id))
        return messages.Done()

    def list_ports(self, message: messages.ListPorts) -> messages.PortList:
        """The node's ports, without those that are being taken back."""
        node = self._verified(message.caller)
        living = [p for p in self._world.db.ports.by_node(node.id) if p.status is not states.PortStatus.DELETING]
        return messages.PortList(
            ports=tuple(
                messages.PortEntry(sandbox_id=port.sandbox_id, port_id=port.neutron_port_id or "") for port in living
            )
        )

    def _verified(self, caller: messages.Caller) -> records.Node:
        """The node whose token the caller has.

        :raises errors.Unauthenticated: unknown node, wrong token or a node that was revoked: which is not told.
        """
        try:
            node = self._world.db.nodes.get(caller.node_id)
        except errors.NotFound:
            node = None
        presented = digests.secret_digest(caller.token)
        expected = node.token_hash if node is not None else None
        # Compared in any case, so that the time taken does not tell whether the node exists.
        equal = hmac.compare_digest(presented, expected or "0" * len(presented))
        if node is None or expected is None or not equal or node.status is states.NodeStatus.DELETING:
            raise errors.Unauthenticated(what="agent's token")
        return node


def _address(value: str) -> str:
    """A node's address in its usual spelling; the apiserver and other nodes are told to speak to it."""
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
        raise errors.BadRequest(reason=f"{name}: at most {_REPORTED_LENGTH} printable ASCII characters are taken")
    return value
