# SPDX-License-Identifier: Apache-2.0
"""Typed clients of every remote method. Nothing else in the service names a topic or an exchange.

Each method raises :class:`hypernetes.model.errors.Unavailable` when RabbitMQ or the receiver does not answer in time,
and the receiver's own error (by its code) when the receiver refused.
"""

import threading
from typing import Any
from typing import TypeVar

import oslo_messaging
from oslo_config import cfg

from hypernetes.model import bus
from hypernetes.model import errors
from hypernetes.rpc import codec
from hypernetes.rpc import failures
from hypernetes.rpc import messages
from hypernetes.rpc import methods
from hypernetes.rpc import request_context
from hypernetes.rpc import transport as transports
from hypernetes.rpc.transport import Enrollment

__all__ = ["AgentApi", "ConductorApi", "ConductorApiForAgents", "Enrollment"]

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class _Client:
    """Sends messages with the current request ID; connects at the first use."""

    def __init__(self, conf: cfg.ConfigOpts, peer: str) -> None:
        self._conf = conf
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

    def _call(self, target: Any, method: methods.Call[Request, Answer], message: Request, timeout: float) -> Answer:
        reply = self._send(target, method.name, message, timeout)
        if not isinstance(reply, dict):
            raise failures.RemoteFailure(method=method.name)
        if "error" in reply:
            raise failures.decode(reply["error"], method.name)
        try:
            return codec.decode(method.answer, reply.get("answer"))
        except codec.MalformedMessage as error:
            raise failures.RemoteFailure(method=method.name) from error

    def _cast(self, target: Any, method: methods.Cast[Request], message: Request) -> None:
        self._send(target, method.name, message, None)

    def _send(self, target: Any, name: str, message: object, timeout: float | None) -> Any:
        retry = self._conf.messaging.send_attempts
        with self._lock:
            if self._transport is None:
                self._transport = self._make_transport()
            client = oslo_messaging.get_rpc_client(self._transport, target, retry=retry)
        context, arguments = request_context.to_send(), {"message": codec.encode(message)}
        try:
            if timeout is None:
                client.cast(context, name, **arguments)
                return None
            # A call that no queue accepts fails at once and not after its timeout.
            routed = oslo_messaging.TransportOptions(at_least_once=True)
            # While it works the receiver sends signs of life, so that the call to a killed one ends early.
            # A conductor accepts whole seconds, from 2 on (hypernetes.rpc.guard).
            alive = int(min(timeout, self._conf.messaging.call_monitor_timeout))
            prepared = client.prepare(
                timeout=timeout, call_monitor_timeout=alive if alive >= 2 else None, transport_options=routed
            )
            return prepared.call(context, name, **arguments)
        except oslo_messaging.MessageUndeliverable as error:
            raise errors.Unavailable(service=self._peer, reason="no receiver is listening") from error
        except oslo_messaging.MessagingTimeout as error:
            reason = f"no answer to {name} and no sign of life"
            raise errors.Unavailable(service=self._peer, reason=reason) from error
        except oslo_messaging.MessageDeliveryFailure as error:
            raise errors.Unavailable(service="The message bus", reason="it cannot be reached") from error
        except oslo_messaging.MessagingException as error:
            # The text may hold the receiver's traceback: it is for the log of the caller, not for users.
            raise failures.RemoteFailure(method=name) from error


class ConductorApi(_Client):
    """The conductors, as the API calls them; any conductor answers."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        super().__init__(conf, "The conductor")
        self._target = oslo_messaging.Target(topic=bus.CONDUCTOR_TOPIC, version=methods.VERSION)

    def enroll_node(self, message: messages.EnrollNode) -> messages.Enrolled:
        """Create the node's RabbitMQ user. Repeating it with the same password changes nothing."""
        return self._call(self._target, methods.ENROLL_NODE, message, self._conf.messaging.call_timeout)

    def check_cluster(self, message: messages.CheckCluster) -> messages.CheckResults:
        """Return what a conductor has found of a cluster; it changes nothing."""
        return self._call(self._target, methods.CHECK_CLUSTER, message, self._conf.messaging.call_timeout)

    def wake(self, message: messages.Wake) -> None:
        """Announce that an object's intent has changed. A lost message costs time only: the conductors resync."""
        self._cast(self._target, methods.WAKE, message)


class ConductorApiForAgents(_Client):
    """The conductors, as one node's agent calls them through the node's own exchange.

    :param enrollment: what the agent stored when it enrolled.
    :param lock_path: a directory owned by the agent.
    """

    def __init__(self, conf: cfg.ConfigOpts, enrollment: Enrollment, *, lock_path: str) -> None:
        super().__init__(conf, "The conductor")
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
        """The node's identity, for the messages below."""
        return messages.Caller(node_id=self._enrollment.node_id, token=self._enrollment.token)

    def heartbeat(self, message: messages.Heartbeat) -> messages.HeartbeatAnswer:
        """Report the node's state; return what the conductor wants of the node."""
        return self._call(self._target, methods.HEARTBEAT, message, self._conf.messaging.call_timeout)

    def phase_result(self, message: messages.PhaseResult) -> messages.Done:
        """Report how a phase ended; to be repeated until it is answered."""
        return self._call(self._target, methods.PHASE_RESULT, message, self._conf.messaging.call_timeout)

    def allocate_port(self, message: messages.AllocatePort) -> messages.PortBinding:
        """Allocate the sandbox's port; repeated calls return the same port."""
        return self._call(self._target, methods.ALLOCATE_PORT, message, self._conf.messaging.allocate_timeout)

    def release_port(self, message: messages.ReleasePort) -> messages.Done:
        """Release the sandbox's port; an unknown sandbox counts as released."""
        return self._call(self._target, methods.RELEASE_PORT, message, self._conf.messaging.allocate_timeout)

    def list_ports(self, message: messages.ListPorts) -> messages.PortList:
        """Return the node's ports by the conductor's records."""
        return self._call(self._target, methods.LIST_PORTS, message, self._conf.messaging.call_timeout)


class AgentApi(_Client):
    """One node's agent, as conductors call it. It answers nothing; its heartbeats fetch the same orders."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        super().__init__(conf, "The agent")

    def run_phase(self, node_name: str, order: messages.PhaseOrder) -> None:
        """Have a node carry out a phase now instead of at its next heartbeat."""
        target = oslo_messaging.Target(
            exchange=bus.agent_exchange(node_name), topic=bus.agent_topic(node_name), version=methods.VERSION
        )
        self._cast(target, methods.RUN_PHASE, order)
