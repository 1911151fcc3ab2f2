# SPDX-License-Identifier: Apache-2.0
"""Servers: each decodes a request, calls the receiver's method, and encodes the answer or the error.

A receiver is any object with the methods of a table in :mod:`hypernetes.rpc.methods`; each takes the message and
returns the answer, or raises an error of :mod:`hypernetes.model.errors`, which then reaches the caller.
"""

import socket
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any
from typing import Protocol

import oslo_messaging
from oslo_config import cfg
from oslo_log import log
from oslo_messaging.rpc import server as oslo_server

from hypernetes.model import bus
from hypernetes.model import errors
from hypernetes.rpc import codec
from hypernetes.rpc import failures
from hypernetes.rpc import guard
from hypernetes.rpc import messages
from hypernetes.rpc import methods
from hypernetes.rpc import request_context
from hypernetes.rpc import transport as transports

LOG = log.getLogger(__name__)


class ConductorForApi(Protocol):
    """The methods that a conductor offers the API."""

    def enroll_node(self, message: messages.EnrollNode) -> messages.Enrolled:
        """Create the node's RabbitMQ user and bindings, or ensure that they exist."""
        ...

    def wake(self, message: messages.Wake) -> None:
        """Reconcile an object soon."""
        ...

    def check_cluster(self, message: messages.CheckCluster) -> messages.CheckResults:
        """Return what was found of a cluster."""
        ...


class ConductorForAgents(Protocol):
    """The methods that a conductor offers agents. Each verifies the caller's token first."""

    def node_name(self, caller: messages.Caller) -> str:
        """Return the name of the node whose token the caller presents; not to be called from outside.

        :raises errors.Unauthenticated: when the token is not the node's.
        """
        ...

    def heartbeat(self, message: messages.Heartbeat) -> messages.HeartbeatAnswer:
        """Record that the node is alive; return what is wanted of it."""
        ...

    def phase_result(self, message: messages.PhaseResult) -> messages.Done:
        """Record how a phase ended."""
        ...

    def allocate_port(self, message: messages.AllocatePort) -> messages.PortBinding:
        """Allocate the port of a sandbox."""
        ...

    def release_port(self, message: messages.ReleasePort) -> messages.Done:
        """Release the port of a sandbox."""
        ...

    def list_ports(self, message: messages.ListPorts) -> messages.PortList:
        """Return the ports of the calling node."""
        ...


class AgentCommands(Protocol):
    """The methods that an agent offers the conductors."""

    def run_phase(self, message: messages.PhaseOrder) -> None:
        """Start a phase; return at once."""
        ...


class _Adapter:
    """Stands between oslo.messaging and a receiver: only the table's methods exist on it."""

    def __init__(self, table: Iterable[methods.Method], receiver: object) -> None:
        self.target = oslo_messaging.Target(version=methods.VERSION)
        for method in table:
            setattr(self, method.name, _handler(method, getattr(receiver, method.name)))


def _handler(method: methods.Method, function: Callable[[Any], Any]) -> Callable[[dict[str, Any], object], Any]:
    def handle(context: dict[str, Any], message: object) -> dict[str, Any] | None:
        """Return ``{"answer": …}`` or ``{"error": {code, facts}}``; None for a cast."""
        request_context.begin_received(context)
        try:
            answer = function(codec.decode(method.request, message))
        except codec.MalformedMessage as error:
            LOG.warning("Refused a malformed %s: %s", method.name, error)
            return {"error": failures.encode(errors.BadRequest(reason=str(error)))}
        except errors.HypernetesError as error:
            LOG.info("Refused %s: %s", method.name, error)
            return {"error": failures.encode(error)}
        except Exception:
            # The caller, which may be a hostile node, learns nothing about this process.
            LOG.exception("%s failed", method.name)
            return {"error": failures.encode(failures.RemoteFailure(method=method.name))}
        return None if isinstance(method, methods.Cast) else {"answer": codec.encode(answer)}

    return handle


class _Dispatcher(oslo_messaging.RPCDispatcher):
    """Answers every failure as :class:`failures.RemoteFailure`: what oslo.messaging would send holds a traceback."""

    def __init__(self, adapter: _Adapter) -> None:
        super().__init__([adapter], None, oslo_messaging.DefaultRPCAccessPolicy)

    def dispatch(self, incoming: Any) -> Any:
        """Carry out a call."""
        try:
            return super().dispatch(incoming)
        except Exception:
            method = str(incoming.message.get("method"))[:64]
            LOG.exception("The call %r could not be dispatched", method)
            return {"error": failures.encode(failures.RemoteFailure(method=method))}


class _AgentsDispatcher(_Dispatcher):
    """Verifies that a call's token is its sender's before anything is started for it."""

    def __init__(self, adapter: _Adapter, receiver: ConductorForAgents) -> None:
        super().__init__(adapter)
        self._receiver = receiver

    def dispatch(self, incoming: Any) -> Any:
        """Carry out a call whose form :class:`_AgentsServer` has checked."""
        request_context.begin_received(incoming.ctxt)
        message = incoming.message["args"]["message"]
        try:
            caller = codec.decode(messages.Caller, message.get("caller") if isinstance(message, dict) else None)
            if self._receiver.node_name(caller) != guard.sender(incoming):
                raise errors.Unauthenticated(what="agent's token")
        except codec.MalformedMessage as error:
            return {"error": failures.encode(errors.BadRequest(reason=str(error)))}
        except errors.HypernetesError as error:
            LOG.info("Refused a call of %s: %s", guard.sender(incoming), error)
            return {"error": failures.encode(error)}
        return super().dispatch(incoming)


class _AgentsServer(oslo_server.RPCServer):
    """Takes calls of nodes, by the rules of :mod:`hypernetes.rpc.guard`."""

    def __init__(self, transport: Any, target: Any, dispatcher: _AgentsDispatcher, calls_per_node: int) -> None:
        super().__init__(transport, target, dispatcher, executor="threading")
        self._methods = {method.name: method for method in methods.FROM_AGENTS}
        self._lanes = guard.Lanes(super()._on_incoming, calls_per_node)
        self._drops = guard.DropLog()

    def _on_incoming(self, incoming: Any) -> None:
        """Take a message in, in the listener's thread."""
        node = guard.sender(incoming[0])
        if node is None:
            self._drops.add(None, "did not come by a node's exchange")
            return
        reason = guard.problem(incoming[0], node, self._methods, methods.VERSION)
        if reason is None and not self._lanes.add(node, incoming):
            reason = "came while too many others waited"
        if reason is not None:
            self._drops.add(node, reason)

    def _process_incoming(self, incoming: Any) -> None:
        try:
            super()._process_incoming(incoming)
        finally:
            self._lanes.done(str(guard.sender(incoming[0])))


def conductor_servers(conf: cfg.ConfigOpts, api: ConductorForApi, agents: ConductorForAgents) -> tuple[Any, Any]:
    """Make the two servers of a conductor, for the API and for agents, on one transport.

    :returns: two servers with ``start``, ``stop`` (accept no new messages) and ``wait`` (for the running ones).
    """
    transport = transports.service_transport(conf)
    name = socket.gethostname()
    for_api = oslo_server.RPCServer(
        transport,
        oslo_messaging.Target(exchange=bus.CONDUCTOR_EXCHANGE, topic=bus.CONDUCTOR_TOPIC, server=name),
        _Dispatcher(_Adapter(methods.FROM_API, api)),
        executor="threading",
    )
    for_agents = _AgentsServer(
        transport,
        oslo_messaging.Target(exchange=bus.AGENTS_EXCHANGE, topic=bus.AGENTS_TOPIC, server=name),
        _AgentsDispatcher(_Adapter(methods.FROM_AGENTS, agents), agents),
        conf.messaging.calls_per_node,
    )
    return for_api, for_agents


def agent_server(
    conf: cfg.ConfigOpts, enrollment: transports.Enrollment, commands: AgentCommands, *, lock_path: str
) -> Any:
    """Make the server of one node's agent, with ``start``, ``stop`` and ``wait``."""
    transport = transports.agent_transport(enrollment, ca_file=conf.messaging.ca_file, lock_path=lock_path)
    node = enrollment.node_name
    return oslo_server.RPCServer(
        transport,
        oslo_messaging.Target(exchange=bus.agent_exchange(node), topic=bus.agent_topic(node), server=node),
        _Dispatcher(_Adapter(methods.TO_AGENT, commands)),
        executor="threading",
    )
