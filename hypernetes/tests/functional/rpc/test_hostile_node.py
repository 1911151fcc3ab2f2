# SPDX-License-Identifier: Apache-2.0
"""What the holder of one node's RabbitMQ user does to the conductor and to other nodes, over a real RabbitMQ.

The conductor runs in this process, so its threads can be counted. Each attack stands beside an honest call.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from typing import Any
from typing import ClassVar

import amqp
import testtools
from amqp import exceptions

from hypernetes.model import bus
from hypernetes.model import errors
from hypernetes.rpc import client
from hypernetes.rpc import codec
from hypernetes.rpc import guard
from hypernetes.rpc import messages
from hypernetes.rpc import rabbitmq_admin
from hypernetes.rpc import server
from hypernetes.tests.functional.rpc import rabbitmq

PASSWORD = "chosen-by-the-agent"
ATTACKER, VICTIM = "node1", "node2"
OWN_QUEUE = f"reply_{ATTACKER}:agent:77"
FLOOD = 400
IN_WORK = 17
"""``[messaging] calls_per_node``, not its default."""
_FLOOD = """
import amqp, sys
port, user, password, exchange, key = sys.argv[1:]
connection = amqp.Connection(host="127.0.0.1:" + port, userid=user, password=password, confirm_publish=True)
connection.connect()
channel = connection.channel()
for body in sys.stdin.read().splitlines():
    message = amqp.Message(body, content_type="application/json", content_encoding="utf-8")
    channel.basic_publish(message, exchange=exchange, routing_key=key)
connection.close()
"""


def _token(node: str) -> str:
    return f"the-token-of-{node}"


class _Conductor:
    """Answers ``list_ports`` at once and ``release_port`` when it may."""

    def __init__(self) -> None:
        self.may_release = threading.Event()
        self.releases = 0

    def node_name(self, caller: messages.Caller) -> str:
        if caller.token != _token(caller.node_id):
            raise errors.Unauthenticated(what="agent's token")
        return caller.node_id

    def list_ports(self, message: messages.ListPorts) -> messages.PortList:
        return messages.PortList(ports=(messages.PortEntry(sandbox_id="s", port_id=message.caller.node_id),))

    def release_port(self, message: messages.ReleasePort) -> messages.Done:
        self.releases += 1
        self.may_release.wait(30)
        return messages.Done()

    def _unused(self, message: Any) -> Any:
        raise NotImplementedError

    enroll_node = wake = check_cluster = heartbeat = phase_result = allocate_port = _unused


class HostileNodeTest(testtools.TestCase):
    rabbit: ClassVar[rabbitmq.RabbitMQ]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.rabbit = rabbitmq.RabbitMQ()
        cls.addClassCleanup(cls.rabbit.close)
        for node in (ATTACKER, VICTIM):
            rabbitmq_admin.RabbitmqAdmin(cls.rabbit.configuration()).ensure_node(node, PASSWORD)

    def setUp(self) -> None:
        super().setUp()
        self.conf = self.rabbit.configuration()
        self.conf.set_override("calls_per_node", IN_WORK, group="messaging")
        self.conductor = _Conductor()
        for listening in server.conductor_servers(self.conf, self.conductor, self.conductor):
            listening.start()
            self.addCleanup(listening.wait)
            self.addCleanup(listening.stop)
        # Runs first: a call that is held would hold up the server's end.
        self.addCleanup(self.conductor.may_release.set)
        locks = tempfile.TemporaryDirectory(prefix="hypernetes-locks-")
        self.addCleanup(locks.cleanup)
        template = self.conf.messaging.node_transport_url.replace("{user}", rabbitmq_admin.node_user(VICTIM))
        enrollment = client.Enrollment(VICTIM, VICTIM, _token(VICTIM), PASSWORD, transport_url=template)
        self.victim = client.ConductorApiForAgents(self.conf, enrollment, lock_path=locks.name)
        self.addCleanup(self.victim.close)
        self.attacker = self.rabbit.channel(rabbitmq_admin.node_user(ATTACKER), PASSWORD)
        self.addCleanup(self.attacker.connection.close)
        self.attacker.queue_declare(OWN_QUEUE, auto_delete=False)
        self.attacker.queue_purge(OWN_QUEUE)
        self.honest_seconds()

    def honest_seconds(self) -> float:
        """How long an honest call of the other node takes."""
        start = time.monotonic()
        answer = self.victim.list_ports(messages.ListPorts(caller=self.victim.caller))
        self.assertEqual(VICTIM, answer.ports[0].port_id)
        return time.monotonic() - start

    def body(self, reply_queue: str, **fields: Any) -> str:
        """A call as oslo.messaging writes it; without further words it is a good one of the attacker's."""
        caller = messages.Caller(ATTACKER, _token(ATTACKER))
        message: dict[str, Any] = {
            "method": "list_ports",
            "version": "1.0",
            "args": {"message": codec.encode(messages.ListPorts(caller))},
            "_msg_id": uuid.uuid4().hex,
            "_unique_id": uuid.uuid4().hex,
            "_reply_q": reply_queue,
            "_timeout": None,
        }
        return json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(message | fields)})

    def call(self, reply_queue: str = OWN_QUEUE, **fields: Any) -> None:
        """Publish a call by hand."""
        body = self.body(reply_queue, **fields)
        self.attacker.basic_publish(
            amqp.Message(body, content_type="application/json", content_encoding="utf-8"),
            exchange=bus.agent_exchange(ATTACKER),
            routing_key=bus.AGENTS_TOPIC,
        )

    def answer(self, seconds: float = 10.0) -> dict[str, Any] | None:
        """The next answer on the attacker's queue."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            message = self.attacker.basic_get(OWN_QUEUE, no_ack=True)
            if message is not None:
                answer: dict[str, Any] = json.loads(json.loads(message.body)["oslo.message"])
                return answer
            time.sleep(0.02)
        return None

    def test_calls_of_unknown_methods_leave_no_thread(self) -> None:
        before = threading.active_count()
        for _ in range(40):
            self.call(method="no_such_method", _timeout=20)
        self.call()
        self.assertIsNotNone(self.answer())
        time.sleep(1)
        # The pool's own threads come at need; watchdogs would be 40.
        self.assertLess(threading.active_count() - before, 5)

    def test_what_is_not_a_call_by_the_table_has_no_answer(self) -> None:
        wrong: tuple[dict[str, Any], ...] = (
            {"method": "no_such_method"},
            {"method": "node_name"},
            {"method": ["list_ports"]},
            {"version": "2.0"},
            {"version": "1.9"},
            {"version": "1.0.0"},
            {"version": None},
            {"namespace": "x"},
            {"args": None},
            {"args": {"message": {}, "more": 1}},
            *({"_timeout": value} for value in (0, 1, -1, 121, 10**30, 2.5, True, "10", [10], {"a": 1})),
            *({"_msg_id": value} for value in (None, 7, "x" * 32, "0" * 33)),
        )
        for fields in wrong:
            with self.subTest(fields=fields):
                self.call(**fields)
        self.assertIsNone(self.answer(1.0))
        # The positive control, with the longest accepted monitor.
        self.call(_timeout=120)
        answer = self.answer()
        self.assertIsNotNone(answer)
        self.assertEqual(ATTACKER, (answer or {})["result"]["answer"]["ports"][0]["port_id"])

    def test_no_failure_carries_a_traceback(self) -> None:
        good = {"node_id": ATTACKER, "token": _token(ATTACKER)}
        unusual: tuple[Any, ...] = (
            {},
            [],
            {"caller": 1},
            {"caller": good, "x": "\ud800"},
            {"caller": good | {"token": 1}},
        )
        for message in unusual:
            self.call(args={"message": message})
            answer = self.answer()
            self.assertIsNotNone(answer)
            self.assertIsNone((answer or {})["failure"])
            self.assertNotIn("Traceback", json.dumps(answer))

    def test_an_answer_goes_to_no_other_nodes_queue(self) -> None:
        other = self.rabbit.channel()
        self.addCleanup(other.connection.close)
        for queue in (f"reply_{VICTIM}:agent:88", "reply_node10:agent:1", "hypernetes-agent.node2"):
            other.queue_declare(queue, durable=False, auto_delete=True)
            self.call(queue)
            self.call()
            self.assertIsNotNone(self.answer())
            self.assertIsNone(other.basic_get(queue))
            other.queue_delete(queue)

    def test_another_nodes_token_is_refused_on_this_nodes_exchange(self) -> None:
        stolen = messages.ListPorts(messages.Caller(VICTIM, _token(VICTIM)))
        self.call(args={"message": codec.encode(stolen)})
        answer = self.answer() or {}
        self.assertEqual(errors.Unauthenticated.code, answer["result"]["error"]["code"])

    def honest_times_during_a_flood(self, key: str) -> list[float]:
        """How long honest calls take while the attacker publishes bad ones with a routing key."""
        bad = messages.ListPorts(messages.Caller(ATTACKER, "wrong"))
        bodies = [
            self.body(f"reply_node{number + 2}:agent:1", args={"message": codec.encode(bad)}, _timeout=20)
            for number in range(FLOOD)
        ]
        # From a process of its own, as a node's: a thread here would hold up the conductor by Python's lock.
        words = [str(self.rabbit.port), rabbitmq_admin.node_user(ATTACKER), PASSWORD, bus.agent_exchange(ATTACKER), key]
        with subprocess.Popen([sys.executable, "-c", _FLOOD, *words], stdin=subprocess.PIPE, text=True) as attack:
            assert attack.stdin is not None
            attack.stdin.write("\n".join(bodies))
            attack.stdin.close()
            times = []
            while attack.poll() is None:
                times.append(self.honest_seconds())
        self.assertEqual(0, attack.returncode)
        return times

    def test_a_flood_of_bad_calls_delays_no_other_node(self) -> None:
        quiet = statistics.median(self.honest_seconds() for _ in range(20))
        # The reference: the same work for the machine and the broker, but no call reaches the conductor.
        unheard = statistics.median(self.honest_times_during_a_flood("unbound"))
        times = self.honest_times_during_a_flood(bus.AGENTS_TOPIC)
        median = statistics.median(times)
        print(
            f"honest call: quiet {quiet * 1000:.1f} ms; median beside {FLOOD} messages that reach no conductor "
            f"{unheard * 1000:.1f} ms, beside {FLOOD} bad calls {median * 1000:.1f} ms, longest "
            f"{max(times) * 1000:.1f} ms of {len(times)}"
        )
        self.assertLess(median, max(2 * unheard, 0.05))
        self.assertLess(max(times), 2.0)

    def test_calls_that_one_node_holds_leave_threads_to_others(self) -> None:
        release = messages.ReleasePort(messages.Caller(ATTACKER, _token(ATTACKER)), "s")
        for _ in range(FLOOD):
            self.call(method="release_port", args={"message": codec.encode(release)})
        deadline = time.monotonic() + 10
        while self.conductor.releases < IN_WORK and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertLess(self.honest_seconds(), 2.0)
        self.assertEqual(IN_WORK, self.conductor.releases)
        self.conductor.may_release.set()
        deadline = time.monotonic() + 20
        while self.conductor.releases < IN_WORK + guard.WAITING and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(IN_WORK + guard.WAITING, self.conductor.releases)

    def test_a_nodes_queues_hold_so_much_and_no_more(self) -> None:
        queue, body = f"reply_{ATTACKER}:agent:66", "x" * 100 * 1024
        self.attacker.queue_declare(queue, auto_delete=False)
        self.attacker.queue_bind(queue, bus.agent_exchange(ATTACKER), "fill")
        taken = 0
        # The broker may count a few more before it refuses.
        with testtools.ExpectedException(exceptions.MessageNacked):
            for _ in range(60):
                self.attacker.basic_publish(
                    amqp.Message(body), exchange=bus.agent_exchange(ATTACKER), routing_key="fill"
                )
                taken += 1
        self.assertIn(taken, range(4, 12))
        self.attacker.queue_delete(queue)
