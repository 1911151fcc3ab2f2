# SPDX-License-Identifier: Apache-2.0
"""What a node's RabbitMQ credential is good for: its own queues, and calls to the conductors. Nothing else.

Each refusal stands beside the same act by somebody who may, so that a mistyped name cannot pass for a refusal.
"""

from typing import Any
from typing import ClassVar

import amqp
import testtools
from amqp import exceptions

from hypernetes.model import bus
from hypernetes.rpc import rabbitmq_admin
from hypernetes.tests.functional.rpc import rabbitmq

PASSWORD = "chosen-by-the-agent"


class ConfinementTest(testtools.TestCase):
    rabbit: ClassVar[rabbitmq.RabbitMQ]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.rabbit = rabbitmq.RabbitMQ()
        cls.addClassCleanup(cls.rabbit.close)
        administration = rabbitmq_admin.RabbitmqAdmin(cls.rabbit.configuration())
        for node in ("node1", "node10", "node2"):
            administration.ensure_node(node, PASSWORD)
        channel = cls.rabbit.channel()
        for queue in ("hypernetes-agent.node2", "hypernetes-agent.node10", "hypernetes-conductor", "hypernetes-agents"):
            channel.queue_declare(queue, durable=True, auto_delete=False)
        # As the conductors' servers declare and bind them.
        channel.exchange_declare(bus.CONDUCTOR_EXCHANGE, "topic", durable=True, auto_delete=False)
        channel.queue_bind("hypernetes-conductor", bus.CONDUCTOR_EXCHANGE, bus.CONDUCTOR_TOPIC)
        channel.queue_bind("hypernetes-agents", bus.AGENTS_EXCHANGE, bus.AGENTS_TOPIC)
        channel.queue_bind("hypernetes-agent.node2", "hypernetes.node2", "hypernetes-agent.node2")
        channel.connection.close()

    def setUp(self) -> None:
        super().setUp()
        self.node = self._channel(rabbitmq_admin.node_user("node1"), PASSWORD)
        self.conductor = self._channel()

    def _channel(self, *credential: str) -> Any:
        channel = self.rabbit.channel(*credential)
        self.addCleanup(channel.connection.close)
        return channel

    def _publish(self, channel: Any, exchange: str, key: str) -> None:
        channel.basic_publish(amqp.Message("{}"), exchange=exchange, routing_key=key)

    def _count(self, queue: str) -> int:
        declared = self.conductor.queue_declare(queue, passive=True)
        return int(declared.message_count)

    def test_a_node_reaches_the_conductors_by_its_own_exchange_and_one_key(self) -> None:
        before = self._count("hypernetes-agents")
        self._publish(self.node, "hypernetes.node1", "hypernetes-agents")
        self.assertEqual(before + 1, self._count("hypernetes-agents"))

    def test_a_node_owns_its_queues(self) -> None:
        for queue in (
            "hypernetes-agent.node1",
            "hypernetes-agent.node1.node1",
            "hypernetes-agent.node1_fanout_node1:agent:2",
            "reply_node1:agent:1",
            "reply_node1:agent:99",
        ):
            self.node.queue_declare(queue)
            self.node.basic_get(queue)

    def test_a_node_does_not_reach_the_api_topic_through_its_exchange(self) -> None:
        before = self._count("hypernetes-conductor")
        self._publish(self.node, "hypernetes.node1", "hypernetes-conductor")
        self._publish(self.conductor, "hypernetes", "hypernetes-conductor")
        self.assertEqual(before + 1, self._count("hypernetes-conductor"))

    def _publish_with_further_keys(self, header: str) -> None:
        """RabbitMQ routes by a message's key and by those of its CC and BCC headers, again at every exchange."""
        message = amqp.Message("{}", application_headers={header: ["hypernetes-conductor", "#", "*"]})
        heard, forged = self._count("hypernetes-agents"), self._count("hypernetes-conductor")
        self.node.basic_publish(message, exchange="hypernetes.node1", routing_key="hypernetes-agents")
        self.assertEqual(heard + 1, self._count("hypernetes-agents"))
        self.assertEqual(forged, self._count("hypernetes-conductor"))

    def test_a_cc_header_does_not_reach_the_api_topic(self) -> None:
        self._publish_with_further_keys("CC")

    def test_a_bcc_header_does_not_reach_the_api_topic(self) -> None:
        self._publish_with_further_keys("BCC")

    def test_the_header_itself_works_for_who_may_publish(self) -> None:
        before = self._count("hypernetes-conductor")
        for header in ("CC", "BCC"):
            message = amqp.Message("{}", application_headers={header: ["hypernetes-conductor"]})
            self.conductor.basic_publish(message, exchange="hypernetes", routing_key="nobody-listens-here")
        self.assertEqual(before + 2, self._count("hypernetes-conductor"))

    def test_a_binding_to_the_apis_exchange_is_removed(self) -> None:
        self.conductor.exchange_bind("hypernetes", "hypernetes.node10", "hypernetes-agents")
        self.conductor.exchange_bind("hypernetes", "hypernetes.node10", "hypernetes-conductor")
        before = self._count("hypernetes-conductor")
        self._publish(self.conductor, "hypernetes.node10", "hypernetes-conductor")
        self.assertEqual(before + 1, self._count("hypernetes-conductor"))
        for _ in range(2):
            rabbitmq_admin.RabbitmqAdmin(self.rabbit.configuration()).ensure_topology("node10")
        self._publish(self.conductor, "hypernetes.node10", "hypernetes-conductor")
        self.assertEqual(before + 1, self._count("hypernetes-conductor"))

    def test_publishing_elsewhere_is_refused(self) -> None:
        for exchange, key in (
            ("hypernetes", "hypernetes-conductor"),
            ("hypernetes", "hypernetes-agents"),
            ("hypernetes-agents", "hypernetes-agents"),
            ("hypernetes.node2", "hypernetes-agent.node2"),
            ("", "hypernetes-agent.node2"),
            ("", "hypernetes-conductor"),
            ("amq.topic", "anything"),
        ):
            self._publish(self.conductor, exchange, key)
            self.assertRaises(exceptions.AccessRefused, self._publish, self.node, exchange, key)
            self.node = self._channel(rabbitmq_admin.node_user("node1"), PASSWORD)

    def test_reading_others_queues_is_refused(self) -> None:
        for queue in ("hypernetes-agent.node2", "hypernetes-agent.node10", "hypernetes-conductor", "hypernetes-agents"):
            self.conductor.basic_get(queue, no_ack=True)
            self.assertRaises(exceptions.AccessRefused, self.node.basic_get, queue)
            self.node = self._channel(rabbitmq_admin.node_user("node1"), PASSWORD)
            self.assertRaises(exceptions.AccessRefused, self.node.basic_consume, queue)
            self.node = self._channel(rabbitmq_admin.node_user("node1"), PASSWORD)

    def test_declaring_what_carries_another_name_is_refused(self) -> None:
        for queue in (
            "hypernetes-agent.node10.x",
            "hypernetes-agent.node1x",
            "reply_node10:agent:9",
            "reply_node1",
            # Names without an end would be queues without number.
            "reply_node1:agent:100",
            "reply_node1:other:1",
            "hypernetes-agent.node1.other",
            "x",
        ):
            self.assertRaises(exceptions.AccessRefused, self.node.queue_declare, queue)
            self.node = self._channel(rabbitmq_admin.node_user("node1"), PASSWORD)
            self.conductor.queue_declare(queue)

    def test_binding_to_others_is_refused(self) -> None:
        self.node.queue_declare("hypernetes-agent.node1")
        for act in (
            lambda: self.node.exchange_bind("hypernetes", "hypernetes.node1", "hypernetes-conductor"),
            lambda: self.node.exchange_bind("hypernetes-agents", "hypernetes.node1", "#"),
            lambda: self.node.exchange_bind("hypernetes.node1", "hypernetes", "#"),
            lambda: self.node.exchange_bind("hypernetes.node1", "hypernetes-agents", "#"),
            lambda: self.node.queue_bind("hypernetes-agent.node1", "hypernetes", "#"),
            lambda: self.node.queue_bind("hypernetes-agent.node1", "hypernetes-agents", "#"),
            lambda: self.node.queue_bind("hypernetes-agent.node1", "hypernetes.node2", "#"),
            lambda: self.node.exchange_delete("hypernetes"),
            lambda: self.node.exchange_delete("hypernetes-agents"),
            lambda: self.node.queue_delete("hypernetes-agent.node2"),
            lambda: self.node.queue_purge("hypernetes-conductor"),
        ):
            self.assertRaises(exceptions.AccessRefused, act)
            self.node = self._channel(rabbitmq_admin.node_user("node1"), PASSWORD)
        self.node.queue_bind("hypernetes-agent.node1", "hypernetes.node1", "hypernetes-agent.node1")

    def test_dead_letters_and_alternates_are_no_way_round(self) -> None:
        dead_letters = {"x-dead-letter-exchange": "hypernetes", "x-dead-letter-routing-key": "hypernetes-conductor"}
        queue = "reply_node1:agent:98"
        declare = self.node.queue_declare
        self.assertRaises(exceptions.AccessRefused, declare, queue, arguments=dead_letters)
        self.node = self._channel(rabbitmq_admin.node_user("node1"), PASSWORD)
        self.node.exchange_delete("hypernetes.node1")
        self.addCleanup(rabbitmq_admin.RabbitmqAdmin(self.rabbit.configuration()).ensure_topology, "node1")
        self.assertRaises(
            exceptions.AccessRefused,
            self.node.exchange_declare,
            "hypernetes.node1",
            "topic",
            durable=True,
            auto_delete=False,
            arguments={"alternate-exchange": "hypernetes"},
        )
        own = {"x-dead-letter-exchange": "hypernetes.node1"}
        self._channel(rabbitmq_admin.node_user("node1"), PASSWORD).queue_declare(queue, arguments=own)

    def test_a_revoked_node_is_cut_off(self) -> None:
        administration = rabbitmq_admin.RabbitmqAdmin(self.rabbit.configuration())
        administration.ensure_node("node3", PASSWORD)
        self.assertTrue(administration.has_node("node3"))
        channel = self.rabbit.channel(rabbitmq_admin.node_user("node3"), PASSWORD)
        channel.queue_declare("hypernetes-agent.node3")
        administration.remove_node("node3")
        administration.remove_node("node3")
        self.assertFalse(administration.has_node("node3"))
        self.assertRaises((OSError, amqp.ConnectionError), channel.queue_declare, "hypernetes-agent.node3")
        self.assertRaises(amqp.AccessRefused, self._channel, rabbitmq_admin.node_user("node3"), PASSWORD)
        self.assertRaises(amqp.NotFound, self.conductor.queue_declare, "hypernetes-agent.node3", passive=True)
