# SPDX-License-Identifier: Apache-2.0
"""Servers: they decode, hand to an endpoint, and encode the answer or the error.

An endpoint is any object that has the methods of a table in :mod:`hypernetes.rpc.methods`; each takes the message
and returns the answer, or raises an error of :mod:`hypernetes.model.errors` which the caller then gets.
"""

import re
import socket
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
from hypernetes.rpc import transport as transports

LOG = log.getLogger(__name__)

_AGENT_REPLY_QUEUE = re.compile(r"reply_[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?:[^/]{1,80}")


class ConductorForApi(Protocol):
    """What a conductor offers the API."""

    def enroll_node(self, message: messages.EnrollNode) -> messages.Enrolled:
        """Make the node's RabbitMQ user and bindings, or make sure of them."""
        ...

    def wake(self, message: messages.Wake) -> None:
        """Reconcile an object soon."""
        ...


class ConductorForAgents(Protocol):
    """What a conductor offers agents. Each verifies the caller's token first."""

    def heartbeat(self, message: messages.Heartbeat) -> messages.HeartbeatAnswer:
        """Note that the node lives; answer what is wanted of it."""
        ...

    def phase_result(self, message: messages.PhaseResult) -> messages.Done:
        """Note how a phase ended."""
        ...

    def allocate_port(self, message: messages.AllocatePort) -> messages.PortBinding:
        """Give a sandbox its port."""
        ...

    def release_port(self, message: messages.ReleasePort) -> messages.Done:
        """Take a sandbox's port back."""
        ...

    def list_ports(self, message: messages.ListPorts) -> messages.PortList:
        """The ports of the calling node."""
        ...


class AgentCommands(Protocol):
    """What an agent offers the conductors."""

    def run_phase(self, message: messages.PhaseOrder) -> None:
        """Begin a phase; return at once."""
        ...


class _Adapter:
    """Stands between oslo.messaging and an endpoint: only the table's methods exist on it."""

    def __init__(self, table: dict[str, methods.Method], endpoint: object) -> None:
        self.target = oslo_messaging.Target(version=methods.VERSION)
        for method in table.values():
            setattr(self, method.name, _handler(method, getattr(endpoint, method.name)))


def _handler(method: methods.Method, function: Any) -> Any:
    def handle(context: dict[str, Any], message: object) -> dict[str, Any] | None:
        """Answer as ``{"answer": …}`` or ``{"error": {code, facts}}``; a cast answers nothing."""
        del context  # Whoever sends writes it, so nothing may rest on it.
        try:
            answer = function(codec.decode(method.request, message))
        except codec.MalformedMessage as error:
            LOG.warning("A malformed %s was refused: %s", method.name, error)
            return {"error": failures.encode(errors.BadRequest(reason=str(error)))}
        except errors.HypernetesError as error:
            LOG.info("%s was refused: %s", method.name, error)
            return {"error": failures.encode(error)}
        except Exception:
            # The caller, who may be a hostile node, learns nothing about our inside.
            LOG.exception("%s failed", method.name)
            return {"error": failures.encode(failures.RemoteFailure(method=method.name))}
        return None if method.answer is None else {"answer": codec.encode(answer)}

    return handle


def _give_no_answer(reply: object = None, failure: object = None) -> None:
    """Takes the place of a message's ``reply``."""


class _ReplyGuard(oslo_messaging.RPCDispatcher):
    """Answers agents on agents' reply queues only.

    The sender of a call names the queue for its answer, and the conductor may publish anywhere. Without this a
    hostile node could have answers put into other services' queues.
    """

    def dispatch(self, incoming: Any) -> Any:
        """Carry the call out; an improper reply queue gets no answer."""
        queue = getattr(incoming, "reply_q", None)
        if queue is not None and not _AGENT_REPLY_QUEUE.fullmatch(str(queue)):
            LOG.warning("A call asked for its answer on the queue %.100r, which is no agent's; dropped", queue)
            incoming.reply = _give_no_answer
            return None
        return super().dispatch(incoming)


def conductor_servers(conf: cfg.ConfigOpts, api: ConductorForApi, agents: ConductorForAgents) -> tuple[Any, Any]:
    """The two servers of a conductor, for the API and for agents, on the same transport.

    They have ``start``, ``stop`` (no new messages) and ``wait`` (until the running ones have ended).
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
    conf: cfg.ConfigOpts, enrollment: transports.Enrollment, endpoint: AgentCommands, *, lock_path: str
) -> Any:
    """The server of one node's agent, with ``start``, ``stop`` and ``wait``."""
    transport = transports.agent_transport(enrollment, ca_file=conf.messaging.ca_file, lock_path=lock_path)
    node = enrollment.node_name
    return oslo_messaging.get_rpc_server(
        transport,
        oslo_messaging.Target(exchange=bus.agent_exchange(node), topic=bus.agent_topic(node), server=node),
        [_Adapter(methods.TO_AGENT, endpoint)],
        executor="threading",
        access_policy=oslo_messaging.DefaultRPCAccessPolicy,
    )
