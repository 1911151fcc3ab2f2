# SPDX-License-Identifier: Apache-2.0
"""Typed stubs of every remote call. Nothing else in the service names a topic or an exchange.

All of them raise :class:`hypernetes.model.errors.Unavailable` when RabbitMQ or the receiver does not answer in
time, and the receiver's own error (by its code) when it refused.
"""

import threading
from typing import Any
from typing import cast

import oslo_messaging
from oslo_config import cfg

from hypernetes.model import bus
from hypernetes.model import errors
from hypernetes.rpc import codec
from hypernetes.rpc import failures
from hypernetes.rpc import messages
from hypernetes.rpc import methods
from hypernetes.rpc import transport as transports
from hypernetes.rpc.transport import Enrollment

__all__ = ["AgentApi", "ConductorApi", "ConductorApiForAgents", "Enrollment"]


class _Stub:
    """Sends messages of one table to one target; the transport is made at the first use."""

    def __init__(self, conf: cfg.ConfigOpts, table: dict[str, methods.Method], peer: str) -> None:
        self._conf = conf
        self._table = table
        self._peer = peer
        self._lock = threading.Lock()
        self._transport: Any = None

    def _make_transport(self) -> Any:
        return transports.service_transport(self._conf)

    def close(self) -> None:
        """Close the connections; a later use opens them again."""
        with self._lock:
            transport, self._transport = self._transport, None
        if transport is not None:
            transport.cleanup()

    def _call(self, target: Any, name: str, message: object, timeout: float) -> Any:
        method = self._table[name]
        reply = self._send(target, method, message, timeout)
        if not isinstance(reply, dict):
            raise failures.RemoteFailure(method=name)
        if "error" in reply:
            raise failures.decode(reply["error"], name)
        try:
            return codec.decode(cast(type, method.answer), reply.get("answer"))
        except codec.MalformedMessage as error:
            raise failures.RemoteFailure(method=name) from error

    def _cast(self, target: Any, name: str, message: object) -> None:
        self._send(target, self._table[name], message, None)

    def _send(self, target: Any, method: methods.Method, message: object, timeout: float | None) -> Any:
        if type(message) is not method.request:
            raise TypeError(f"{method.name} takes {method.request.__name__}, not {type(message).__name__}")
        retry = self._conf.messaging.send_attempts
        with self._lock:
            if self._transport is None:
                self._transport = self._make_transport()
            client = oslo_messaging.get_rpc_client(self._transport, target, retry=retry)
        arguments = {"message": codec.encode(message)}
        try:
            if timeout is None:
                client.cast({}, method.name, **arguments)
                return None
            # A call that no queue takes fails now and not after its timeout.
            certain = oslo_messaging.TransportOptions(at_least_once=True)
            # While it works the receiver gives signs of life; one that was killed is not waited for.
            alive = min(timeout, self._conf.messaging.call_monitor_timeout)
            prepared = client.prepare(timeout=timeout, call_monitor_timeout=alive, transport_options=certain)
            return prepared.call({}, method.name, **arguments)
        except oslo_messaging.MessageUndeliverable as error:
            raise errors.Unavailable(service=self._peer, reason="none is listening") from error
        except oslo_messaging.MessagingTimeout as error:
            reason = f"no answer to {method.name} and no sign of life"
            raise errors.Unavailable(service=self._peer, reason=reason) from error
        except oslo_messaging.MessageDeliveryFailure as error:
            raise errors.Unavailable(service="The message bus", reason="it cannot be reached") from error
        except oslo_messaging.MessagingException as error:
            # The receiver's traceback may be in the text: for the log of whoever catches, not for users.
            raise failures.RemoteFailure(method=method.name) from error


class ConductorApi(_Stub):
    """What the API asks of the conductors; any of them answers."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        super().__init__(conf, methods.FROM_API, "The conductor")
        self._target = oslo_messaging.Target(topic=bus.CONDUCTOR_TOPIC, version=methods.VERSION)

    def enroll_node(self, message: messages.EnrollNode) -> messages.Enrolled:
        """Have the node's RabbitMQ user made. Repeating it with the same password changes nothing."""
        answer = self._call(self._target, "enroll_node", message, self._conf.messaging.call_timeout)
        return cast(messages.Enrolled, answer)

    def wake(self, message: messages.Wake) -> None:
        """Say that an object's intent has changed. Losing it costs time only: the conductors resynchronise."""
        self._cast(self._target, "wake", message)


class ConductorApiForAgents(_Stub):
    """What a node's agent asks of the conductors, sent through the node's own exchange.

    :param enrollment: what the agent persisted when it enrolled.
    :param lock_path: a folder of the agent's own.
    """

    def __init__(self, conf: cfg.ConfigOpts, enrollment: Enrollment, *, lock_path: str) -> None:
        super().__init__(conf, methods.FROM_AGENTS, "The conductor")
        self._enrollment = enrollment
        self._lock_path = lock_path
        self._target = oslo_messaging.Target(
            exchange=bus.agent_exchange(enrollment.node_name), topic=bus.AGENTS_TOPIC, version=methods.VERSION
        )

    def _make_transport(self) -> Any:
        return transports.agent_transport(
            self._enrollment, ca_file=self._conf.messaging.ca_file, lock_path=self._lock_path
        )

    @property
    def caller(self) -> messages.Caller:
        """Who we are, for the messages below."""
        return messages.Caller(node_id=self._enrollment.node_id, token=self._enrollment.token)

    def heartbeat(self, message: messages.Heartbeat) -> messages.HeartbeatAnswer:
        """Report, and learn what the conductor wants of the node."""
        answer = self._call(self._target, "heartbeat", message, self._conf.messaging.call_timeout)
        return cast(messages.HeartbeatAnswer, answer)

    def phase_result(self, message: messages.PhaseResult) -> messages.Done:
        """Report how a phase ended; repeat it until it is answered."""
        return cast(messages.Done, self._call(self._target, "phase_result", message, self._conf.messaging.call_timeout))

    def allocate_port(self, message: messages.AllocatePort) -> messages.PortBinding:
        """Get the sandbox's port; the same one however often it is asked."""
        answer = self._call(self._target, "allocate_port", message, self._conf.messaging.allocate_timeout)
        return cast(messages.PortBinding, answer)

    def release_port(self, message: messages.ReleasePort) -> messages.Done:
        """Give the sandbox's port back; an unknown sandbox counts as released."""
        answer = self._call(self._target, "release_port", message, self._conf.messaging.allocate_timeout)
        return cast(messages.Done, answer)

    def list_ports(self, message: messages.ListPorts) -> messages.PortList:
        """The node's ports by the conductor's records."""
        return cast(
            messages.PortList, self._call(self._target, "list_ports", message, self._conf.messaging.call_timeout)
        )


class AgentApi(_Stub):
    """What a conductor tells one node's agent. Nothing comes back; heartbeats carry the same level."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        super().__init__(conf, methods.TO_AGENT, "The agent")

    def run_phase(self, node_name: str, order: messages.PhaseOrder) -> None:
        """Have a node carry out a phase now instead of at its next heartbeat."""
        target = oslo_messaging.Target(
            exchange=bus.agent_exchange(node_name), topic=bus.agent_topic(node_name), version=methods.VERSION
        )
        self._cast(target, "run_phase", order)
