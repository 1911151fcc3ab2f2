# SPDX-License-Identifier: Apache-2.0
"""Exchanges and topics of the message bus: which process may publish on which one.

A node's RabbitMQ user is confined to the names that carry the node's name.
"""

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
