# SPDX-License-Identifier: Apache-2.0
"""Orders: what a node is to do next, as its record keeps it until the node has reported the result.

The agent receives an order by a cast or with its next heartbeat, and carrying it out twice is harmless.
"""

import json

from oslo_log import log

from hypernetes.conductor import dependencies as context
from hypernetes.db import api as db_api
from hypernetes.kubernetes.bootstrap import phases
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import records
from hypernetes.rpc import codec
from hypernetes.rpc import messages

LOG = log.getLogger(__name__)

POLL_SECONDS = 15.0
"""Interval between two looks at a node's work; its result wakes the cluster or the node earlier."""


def encode(order: messages.PhaseOrder) -> str:
    """Return an order as a node's record stores it."""
    return json.dumps(codec.encode(order), sort_keys=True)


def decode(stored: str | None) -> messages.PhaseOrder | None:
    """Return the order that a node's record stores, or None. An unreadable one counts as none and is sent again."""
    if stored is None:
        return None
    try:
        return codec.decode(messages.PhaseOrder, json.loads(stored))
    except ValueError:
        return None


def new(cluster_id: str, phase: phases.Phase, inputs: dict[str, str]) -> messages.PhaseOrder:
    """Return a new order."""
    return messages.PhaseOrder(order_id=ids.new_uuid(), cluster_id=cluster_id, phase=phase.name, inputs=inputs)


def write(
    database: db_api.Database,
    node: records.Node,
    cluster: records.Cluster,
    phase: phases.Phase,
    inputs: dict[str, str],
) -> messages.PhaseOrder:
    """Write an order into a node's record, with which its next heartbeat is answered, unless it is there."""
    order = decode(node.order)
    if order is None or order.cluster_id != cluster.id or order.phase != phase.name:
        order = new(cluster.id, phase, inputs)
        database.nodes.observe(node.id, order=encode(order))
    return order


def send(
    dependencies: context.Dependencies,
    node: records.Node,
    cluster: records.Cluster,
    phase: phases.Phase,
    inputs: dict[str, str],
) -> None:
    """Have a node carry out a phase: write the order into its record, unless it is there, and cast it."""
    order = write(dependencies.db, node, cluster, phase, inputs)
    try:
        dependencies.agents.run_phase(node.name, order)
    except errors.HypernetesError as error:
        LOG.info(
            "The order for node %s could not be cast; its next heartbeat is answered with it: %s", node.name, error
        )
