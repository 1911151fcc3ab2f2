# SPDX-License-Identifier: Apache-2.0
"""Servers: each decodes a request, calls the receiver's method, and encodes the answer or the error.

A receiver is any object with the methods of a table in :mod:`hypernetes.rpc.methods`; each takes the message and
returns the answer, or raises an error of :mod:`hypernetes.model.errors`, which then reaches the caller.
"""

import re
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
from hypernetes.rpc import messages
from hypernetes.rpc import methods
from hypernetes.rpc import request_context
from hypernetes.rpc import transport as transports

LOG = log.getLogger(__name__)

_AGENT_REPLY_QUEUE = re.compile(r"reply_[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?:[^/]{1,80}")


class ConductorForApi(Protocol):
    """The methods that a conductor offers the API."""

    def enroll_node(self, message: messages.EnrollNode) -> messages.Enrolled:
        """Create the node's RabbitMQ user and bindings, or ensure that they exist."""
        ...

    def wake(self, message: messages.Wake) -> None:
        """Reconcile an object soon."""
        ...


class ConductorForAgents(Protocol):
    """The methods that a conductor offers agents. Each verifies the caller's token first."""

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


def _give_no_answer(reply: object = None, failure: object = None) -> None:
    """Drop the answer; takes the place of a message's ``reply``."""


class _ReplyGuard(oslo_messaging.RPCDispatcher):
    """Answers agents on agents' reply queues only.

    The sender of a call names the queue for its answer, and the conductor may publish anywhere. Without this guard a
    hostile node could have answers put into other services' queues.
    """

    def dispatch(self, incoming: Any) -> Any:
        """Carry out the call unless its reply queue is not an agent's."""
        queue = getattr(incoming, "reply_q", None)
        if queue is not None and not _AGENT_REPLY_QUEUE.fullmatch(str(queue)):
            LOG.warning("Dropped a call that wants its answer on %.100r, which is not an agent's reply queue", queue)
            incoming.reply = _give_no_answer
            return None
        return super().dispatch(incoming)


def conductor_servers(conf: cfg.ConfigOpts, api: ConductorForApi, agents: ConductorForAgents) -> tuple[Any, Any]:
    """Make the two servers of a conductor, for the API and for agents, on one transport.

    :returns: two servers with ``start``, ``stop`` (accept no new messages) and ``wait`` (for the running ones).
    """
    transport = transports.service_transport(conf)
    name = socket.gethostname()
    for_api = oslo_messaging.get_rpc_server(
        transport,
        oslo_messaging.Target(exchange=bus.CONDUCTOR_EXCHANGE, topic=bus.CONDUCTOR_TOPIC, server=name),
        [_Adapter(methods.FROM_API, api)],
        executor="threading",
        access_policy=oslo_messaging.DefaultRPCAccessPolicy,
    )
    guard = _ReplyGuard([_Adapter(methods.FROM_AGENTS, agents)], None, oslo_messaging.DefaultRPCAccessPolicy)
    for_agents = oslo_server.RPCServer(
        transport,
        oslo_messaging.Target(exchange=bus.AGENTS_EXCHANGE, topic=bus.AGENTS_TOPIC, server=name),
        guard,
        executor="threading",
    )
    return for_api, for_agents


def agent_server(
    conf: cfg.ConfigOpts, enrollment: transports.Enrollment, commands: AgentCommands, *, lock_path: str
) -> Any:
    """Make the server of one node's agent, with ``start``, ``stop`` and ``wait``."""
    transport = transports.agent_transport(enrollment, ca_file=conf.messaging.ca_file, lock_path=lock_path)
    node = enrollment.node_name
    return oslo_messaging.get_rpc_server(
        transport,
        oslo_messaging.Target(exchange=bus.agent_exchange(node), topic=bus.agent_topic(node), server=node),
        [_Adapter(methods.TO_AGENT, commands)],
        executor="threading",
        access_policy=oslo_messaging.DefaultRPCAccessPolicy,
    )
