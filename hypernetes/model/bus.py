# SPDX-License-Identifier: Apache-2.0
"""Exchanges, topics and queues of the message bus: which process may publish on which one.

A node's RabbitMQ user is confined to the names that carry the node's name.
"""

import re

CONDUCTOR_EXCHANGE = "hypernetes"
AGENTS_EXCHANGE = "hypernetes-agents"
"""What agents say arrives here. A message may carry further keys (its CC and BCC headers), and RabbitMQ routes by all
of them again at every exchange: so an exchange that agents reach must have nothing but their topic bound to it."""
CONDUCTOR_TOPIC = "hypernetes-conductor"
"""Topic of calls and casts from the API; no agent can publish to it."""
AGENTS_TOPIC = "hypernetes-agents"
"""Topic of calls from agents."""


def agent_exchange(node: str) -> str:
    """The one exchange a node's RabbitMQ user owns."""
    return f"hypernetes.{node}"


def agent_topic(node: str) -> str:
    """The topic on which one node's agent listens."""
    return f"hypernetes-agent.{node}"


AGENT_PROCESS = "agent"
"""Part of the names that oslo.messaging's queue manager makes: ``<host>:<process>:<number>``."""

_EXCHANGE_OF_A_NODE = re.compile(r"hypernetes\.([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)")


def node_of_exchange(exchange: str) -> str | None:
    """Return the node that owns an exchange; None if no node does."""
    match = _EXCHANGE_OF_A_NODE.fullmatch(exchange)
    return match.group(1) if match else None


def node_names_pattern(node: str) -> str:
    """Return the regular expression (without anchors) of the exchange and the queues that a node may own.

    Exactly what its agent's oslo.messaging declares: a pattern without an end would let the node declare queues
    without number, each with room of its own.
    """
    exchange, topic, name = (re.escape(text) for text in (agent_exchange(node), agent_topic(node), node))
    numbered = f"{name}:{AGENT_PROCESS}:[1-9][0-9]?"
    return f"{exchange}|{topic}(\\.{name}|_fanout(_{numbered})?)?|reply_{numbered}"


def is_reply_queue(queue: object, node: str) -> bool:
    """Return whether a queue is one on which a node's agent takes answers."""
    pattern = rf"reply_{re.escape(node)}:{AGENT_PROCESS}:[1-9][0-9]?"
    return isinstance(queue, str) and re.fullmatch(pattern, queue) is not None
