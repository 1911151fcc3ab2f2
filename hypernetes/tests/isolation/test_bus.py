# SPDX-License-Identifier: Apache-2.0
"""What the holder of an agent's credential can do on the message bus: nothing to other nodes or services."""

import json
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import amqp
from amqp import exceptions

from hypernetes.rpc import rabbitmq_admin
from hypernetes.standalone import addresses
from hypernetes.tests.isolation import base

CREDENTIAL = "lib/hypernetes/credentials.json"
"""Where the agent keeps it, below the node's directory."""


class BusTest(base.IsolationTest):
    def channel(self) -> Any:
        """A channel of the agent's own user; a refusal closes it, so each act takes a new one."""
        kept = json.loads((base.LAYOUT.node(base.NODE) / CREDENTIAL).read_text())
        where = urlsplit(kept["transport_url"].replace("{password}", "hidden"))
        connection = amqp.Connection(
            host=f"{addresses.CONTROL}:{addresses.RABBITMQ_PORT}",
            userid=where.username,
            password=kept["amqp_password"],
            virtual_host=where.path.lstrip("/"),
            ssl={"ca_certs": str(base.LAYOUT.ca_certificate), "cert_reqs": ssl.CERT_REQUIRED},
            connect_timeout=20,
            # A publication is answered, so that a refusal is seen by who published.
            confirm_publish=True,
        )
        connection.connect()
        self.addCleanup(connection.close)
        return connection.channel()

    def publish(self, exchange: str, key: str) -> None:
        self.channel().basic_publish(amqp.Message("{}"), exchange=exchange, routing_key=key, timeout=20)

    def test_the_agents_own_exchange_and_queues_are_its_own(self) -> None:
        """The positive control of this class."""
        own = f"hypernetes.{base.NODE}"
        self.publish(own, "unbound-routing-key")
        self.channel().queue_declare(f"reply_{base.NODE}:agent:98", auto_delete=True)

    def test_publishing_to_others_is_refused(self) -> None:
        for exchange, key in (
            ("", f"hypernetes-agent.{base.NODE}"),
            ("", "hypernetes-conductor"),
            ("", "hypernetes-agents"),
            ("hypernetes", "hypernetes-conductor"),
            ("hypernetes", "hypernetes-agents"),
            ("hypernetes-agents", "hypernetes-agents"),
            ("hypernetes.node2", "hypernetes-agent.node2"),
            ("amq.topic", "anything"),
        ):
            with self.subTest(exchange=exchange, key=key), self.assertRaises(exceptions.AccessRefused):
                self.publish(exchange, key)

    def test_reading_a_queue_that_is_not_its_own_is_refused(self) -> None:
        for queue in ("hypernetes-conductor", "hypernetes-agents", "hypernetes-agent.node2", "reply_node2:agent:1"):
            with self.subTest(queue=queue):
                with self.assertRaises(exceptions.AccessRefused):
                    self.channel().basic_get(queue)
                with self.assertRaises(exceptions.AccessRefused):
                    self.channel().basic_consume(queue)

    def test_binding_and_declaring_what_is_others_is_refused(self) -> None:
        own = f"hypernetes.{base.NODE}"
        acts: tuple[Callable[[], Any], ...] = (
            lambda: self.channel().exchange_bind("hypernetes", own, "hypernetes-conductor"),
            lambda: self.channel().exchange_bind("hypernetes-agents", own, "#"),
            lambda: self.channel().exchange_bind(own, "hypernetes", "#"),
            lambda: self.channel().exchange_bind(own, "hypernetes-agents", "#"),
            lambda: self.channel().exchange_delete("hypernetes"),
            lambda: self.channel().queue_purge("hypernetes-conductor"),
            lambda: self.channel().queue_declare("hypernetes-agent.node2"),
        )
        for act in acts:
            with self.assertRaises(exceptions.AccessRefused):
                act()

    def test_its_connections_are_limited_so_that_others_find_room(self) -> None:
        """The agent's own count, too, so fewer than the limit are to be had."""
        opened = 0
        with self.assertRaises(exceptions.NotAllowed):
            for _ in range(rabbitmq_admin.USER_LIMITS["max-connections"] + 1):
                self.channel()
                opened += 1
        # The positive control: what an agent needs after a network's failure fits in.
        self.assertLess(rabbitmq_admin.USER_LIMITS["max-connections"] / 2, opened)
