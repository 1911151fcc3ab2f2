# SPDX-License-Identifier: Apache-2.0
"""Calls and casts of the API."""

from hypernetes.conductor import dependencies as context
from hypernetes.conductor.clusters import health
from hypernetes.conductor.engine import outcome
from hypernetes.model import bus
from hypernetes.model import errors
from hypernetes.model import kinds
from hypernetes.model import states
from hypernetes.rpc import messages
from hypernetes.rpc import rabbitmq_admin

WAKEABLE = frozenset({kinds.Kind.CLUSTER, kinds.Kind.NODE, kinds.Kind.NAMESPACE, kinds.Kind.PORT})


class ApiEndpoint:
    """Calls and casts of the API, which RabbitMQ's permissions allow no other client to make."""

    def __init__(self, dependencies: context.Dependencies) -> None:
        self._dependencies = dependencies

    def enroll_node(self, message: messages.EnrollNode) -> messages.Enrolled:
        """Make the RabbitMQ user of a node whose secret the API has verified and whose token it has recorded."""
        node = self._dependencies.db.nodes.get(message.node_id)
        if node.status is states.NodeStatus.DELETING or node.token_hash is None:
            raise errors.Conflict(kind=kinds.Kind.NODE, id=node.id, reason="it is not being enrolled")
        self._dependencies.broker.ensure_node(node.name, message.amqp_password)
        # A deletion that ran meanwhile may not have seen the user, which must not outlive the record.
        try:
            gone = self._dependencies.db.nodes.get(node.id).status is states.NodeStatus.DELETING
        except errors.NotFound:
            gone = True
        if gone:
            self._dependencies.broker.remove_node(node.name)
            raise errors.Conflict(kind=kinds.Kind.NODE, id=node.id, reason="it is being deleted")
        template = self._dependencies.conf.messaging.node_transport_url
        return messages.Enrolled(
            transport_url=template.replace("{user}", rabbitmq_admin.node_user(node.name)),
            exchange=bus.agent_exchange(node.name),
            topic=bus.agent_topic(node.name),
        )

    def check_cluster(self, message: messages.CheckCluster) -> messages.CheckResults:
        """Return what is found of a cluster; an error of a part is a result and not an error of the call."""
        cluster = self._dependencies.db.clusters.get(message.cluster_id)
        found = health.check(self._dependencies, cluster)
        return messages.CheckResults(
            checks=tuple(messages.CheckResult(one.name, one.health, one.detail) for one in found)
        )

    def wake(self, message: messages.Wake) -> None:
        """Reconcile an object soon."""
        if message.kind in WAKEABLE:
            self._dependencies.wake(outcome.Key(message.kind, message.id))
