# SPDX-License-Identifier: Apache-2.0
"""What the holder of an agent's credential can do on the message bus: nothing to other nodes or services."""

import json
import ssl
import statistics
import time
import uuid
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


def conductors_threads() -> int:
    """The number of threads of all conductors."""
    conductors = [p for p in base.processes() if "hypernetes-conductor" in " ".join(base.command_line(p))]
    return sum(len(list((process / "task").iterdir())) for process in conductors)


class BusTest(base.IsolationTest):
    def kept(self) -> dict[str, str]:
        """What the agent stored when it enrolled."""
        kept: dict[str, str] = json.loads((base.LAYOUT.node(base.NODE) / CREDENTIAL).read_text())
        return kept

    def channel(self) -> Any:
        """A channel of the agent's own user; a refusal closes it, so each act takes a new one."""
        kept = self.kept()
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

    def call(self, channel: Any, reply_queue: str, **fields: Any) -> None:
        """Publish a call to the conductors as oslo.messaging would."""
        message = {
            "method": "list_ports",
            "version": "1.0",
            "args": {"message": {"caller": {"node_id": self.kept()["node_id"], "token": self.kept()["token"]}}},
            "_msg_id": uuid.uuid4().hex,
            "_unique_id": uuid.uuid4().hex,
            "_reply_q": reply_queue,
            "_timeout": None,
        }
        body = json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(message | fields)})
        content = amqp.Message(body, content_type="application/json", content_encoding="utf-8")
        channel.basic_publish(content, exchange=f"hypernetes.{base.NODE}", routing_key="hypernetes-agents", timeout=20)

    def answer_seconds(self, channel: Any, queue: str) -> float:
        """How long an honest call takes, made by hand; its answer has no failure."""
        start = time.monotonic()
        self.call(channel, queue)
        message = base.eventually(
            lambda: channel.basic_get(queue, no_ack=True), "the answer", timeout=60, interval=0.01
        )
        self.assertIsNone(json.loads(json.loads(message.body)["oslo.message"])["failure"])
        return time.monotonic() - start

    def test_calls_that_end_nowhere_leave_no_thread_and_delay_no_honest_one(self) -> None:
        channel, queue = self.channel(), f"reply_{base.NODE}:agent:97"
        channel.queue_declare(queue, auto_delete=True)
        quiet = statistics.median(self.answer_seconds(channel, queue) for _ in range(10))
        before = conductors_threads()
        for _ in range(40):
            self.call(channel, queue, method="no_such_method", _timeout=20)
        self.assertIsNone(channel.basic_get(queue))
        for number in range(400):
            self.call(channel, f"reply_node{number + 2}:agent:1", args={"message": {}}, _timeout=20)
        first = self.answer_seconds(channel, queue)
        after = statistics.median(self.answer_seconds(channel, queue) for _ in range(10))
        threads = conductors_threads()
        print(
            f"honest call: {quiet:.3f} s; after 400 bad ones {first:.3f} s at first, {after:.3f} s then; "
            f"threads of the conductors {before} -> {threads}"
        )
        self.assertLess(first, 5)
        self.assertLess(after, max(2 * quiet, 0.1))
        # Each conductor may still start threads of its pool.
        self.assertLess(threads - before, 20)
        channel.queue_delete(queue)

    def test_its_connections_are_limited_so_that_others_find_room(self) -> None:
        """The agent's own count, too, so fewer than the limit are to be had."""
        opened = 0
        with self.assertRaises(exceptions.NotAllowed):
            for _ in range(rabbitmq_admin.USER_LIMITS["max-connections"] + 1):
                self.channel()
                opened += 1
        # The positive control: what an agent needs after a network's failure fits in.
        self.assertLess(rabbitmq_admin.USER_LIMITS["max-connections"] / 2, opened)
