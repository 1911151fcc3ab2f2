# SPDX-License-Identifier: Apache-2.0
"""Neutron's agents on a cluster's nodes, asked for with the operator's own token.

Neutron shows them to administrators only, and the service's own user is none.
"""

from collections.abc import Collection
from typing import Any

from keystoneauth1 import exceptions as auth
from openstack import exceptions as sdk

NAME = "neutron-agents"


def check(connection: Any, nodes: Collection[str]) -> tuple[str, str, str]:
    """Return name, health and detail of a check: whether each node has agents of Neutron, and all of them live.

    :param nodes: names of the cluster's nodes, which are the agents' host names.
    """
    try:
        agents = [agent for agent in connection.network.agents() if agent.host in nodes]
    except (sdk.SDKException, auth.ClientException) as error:
        return NAME, "UNKNOWN", f"Neutron did not list them: {error}"
    dead = sorted(f"{agent.agent_type} on {agent.host}" for agent in agents if not agent.is_alive)
    without = sorted(set(nodes) - {agent.host for agent in agents})
    sentences = [f"{len(agents) - len(dead)} of {len(agents)} are alive."]
    if dead:
        sentences.append(f"Dead: {', '.join(dead)}.")
    if without:
        sentences.append(f"Nodes without any: {', '.join(without)}.")
    return NAME, "ERROR" if dead or without else "OK", " ".join(sentences)
