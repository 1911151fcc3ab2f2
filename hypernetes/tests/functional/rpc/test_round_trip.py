# SPDX-License-Identifier: Apache-2.0
"""Calls and casts between API, conductor and agent over a real RabbitMQ, with a node's confined user."""

import json
import queue
import tempfile
import time
import uuid
from typing import Any
from typing import ClassVar

import amqp
import testtools

from hypernetes.model import bus
from hypernetes.model import errors
from hypernetes.model import kinds
from hypernetes.model import states
from hypernetes.rpc import client
from hypernetes.rpc import codec
from hypernetes.rpc import messages
from hypernetes.rpc import rabbitmq_admin
from hypernetes.rpc import server
from hypernetes.tests.functional.rpc import rabbitmq

PASSWORD = "chosen-by-the-agent"
NODE = client.Enrollment(
    node_id="a4a2d1a0-9c1d-4a55-8b6b-3f0c4e8f2a11",
    node_name="node1",
    token="the-agents-token",
    amqp_password=PASSWORD,
    transport_url="",
)


class _Conductor:
    """Answers as a conductor would, and remembers what it was asked."""

    def __init__(self) -> None:
        self.heard: queue.Queue[object] = queue.Queue()

    def enroll_node(self, message: messages.EnrollNode) -> messages.Enrolled:
        self.heard.put(message)
        return messages.Enrolled(transport_url="rabbit://u:{password}@h//", exchange="e", topic="t")

    def wake(self, message: messages.Wake) -> None:
        self.heard.put(message)

    def check_cluster(self, message: messages.CheckCluster) -> messages.CheckResults:
        self.heard.put(message)
        return messages.CheckResults(checks=(messages.CheckResult("etcd", states.Health.WARNING, "It is full."),))

    def node_name(self, caller: messages.Caller) -> str:
        if caller.token != NODE.token:
            raise errors.Unauthenticated(what="agent's token")
        return NODE.node_name

    def heartbeat(self, message: messages.Heartbeat) -> messages.HeartbeatAnswer:
        self.heard.put(message)
        order = messages.PhaseOrder(order_id="1", cluster_id="2", phase="prepare", inputs={"a.yaml": "b"})
        return messages.HeartbeatAnswer(order=order)

    def phase_result(self, message: messages.PhaseResult) -> messages.Done:
        self.heard.put(message)
        return messages.Done()

    def allocate_port(self, message: messages.AllocatePort) -> messages.PortBinding:
        raise errors.QuotaExceeded(reason="no more ports")

    def release_port(self, message: messages.ReleasePort) -> messages.Done:
        raise RuntimeError("a detail that is nobody's business")

    def list_ports(self, message: messages.ListPorts) -> messages.PortList:
        return messages.PortList(ports=(messages.PortEntry(sandbox_id="s", port_id="p"),))


class _Agent:
    def __init__(self) -> None:
        self.heard: queue.Queue[messages.PhaseOrder] = queue.Queue()

    def run_phase(self, message: messages.PhaseOrder) -> None:
        self.heard.put(message)


class RoundTripTest(testtools.TestCase):
    rabbit: ClassVar[rabbitmq.RabbitMQ]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.rabbit = rabbitmq.RabbitMQ()
        cls.addClassCleanup(cls.rabbit.close)
        rabbitmq_admin.RabbitmqAdmin(cls.rabbit.configuration()).ensure_node("node1", PASSWORD)

    def setUp(self) -> None:
        super().setUp()
        self.conf = self.rabbit.configuration()
        self.conductor = _Conductor()
        for listening in server.conductor_servers(self.conf, self.conductor, self.conductor):
            listening.start()
            self.addCleanup(listening.wait)
            self.addCleanup(listening.stop)
        template = self.conf.messaging.node_transport_url.replace("{user}", rabbitmq_admin.node_user("node1"))
        self.enrollment = client.Enrollment(
            NODE.node_id, NODE.node_name, NODE.token, NODE.amqp_password, transport_url=template
        )
        locks = tempfile.TemporaryDirectory(prefix="hypernetes-locks-")
        self.addCleanup(locks.cleanup)
        self.locks = locks.name
        self.agent = client.ConductorApiForAgents(self.conf, self.enrollment, lock_path=self.locks)
        self.addCleanup(self.agent.close)

    def test_the_api_calls_and_casts(self) -> None:
        api = client.ConductorApi(self.conf)
        self.addCleanup(api.close)
        asked = messages.EnrollNode(node_id="n", amqp_password="p")
        self.assertEqual("e", api.enroll_node(asked).exchange)
        self.assertEqual(asked, self.conductor.heard.get(timeout=10))
        (check,) = api.check_cluster(messages.CheckCluster(cluster_id="c")).checks
        self.assertEqual(messages.CheckCluster(cluster_id="c"), self.conductor.heard.get(timeout=10))
        self.assertIs(states.Health.WARNING, check.health)
        api.wake(messages.Wake(kind=kinds.Kind.CLUSTER, id="c"))
        self.assertEqual(messages.Wake(kind=kinds.Kind.CLUSTER, id="c"), self.conductor.heard.get(timeout=10))

    def test_conductors_are_counted(self) -> None:
        admin = rabbitmq_admin.RabbitmqAdmin(self.conf)
        deadline = time.monotonic() + 30
        # RabbitMQ collects its statistics every 5 s.
        while admin.count_conductors() != 1:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.5)

    def test_an_agent_calls_through_its_own_exchange(self) -> None:
        beat = messages.Heartbeat(
            caller=self.agent.caller,
            address="192.0.2.1",
            agent_version="1",
            boot_id="b",
            services={"kubelet": "RUNNING"},
        )
        answer = self.agent.heartbeat(beat)
        self.assertEqual(beat, self.conductor.heard.get(timeout=10))
        self.assertIsNotNone(answer.order)
        self.assertEqual({"a.yaml": "b"}, answer.order.inputs if answer.order else None)
        ports = self.agent.list_ports(messages.ListPorts(caller=self.agent.caller))
        self.assertEqual((messages.PortEntry(sandbox_id="s", port_id="p"),), ports.ports)

    def test_an_error_of_the_model_arrives_as_itself(self) -> None:
        sandbox = messages.Sandbox(sandbox_id="s", pod_namespace="n", pod_name="p", pod_uid="u")
        asked = messages.AllocatePort(caller=self.agent.caller, sandbox=sandbox)
        error = self.assertRaises(errors.QuotaExceeded, self.agent.allocate_port, asked)
        self.assertIn("no more ports", str(error))

    def test_an_unforeseen_error_tells_the_caller_nothing(self) -> None:
        asked = messages.ReleasePort(caller=self.agent.caller, sandbox_id="s")
        error = self.assertRaises(errors.HypernetesError, self.agent.release_port, asked)
        self.assertNotIn("nobody's business", str(error))

    def test_the_conductor_casts_to_one_agent(self) -> None:
        agent = _Agent()
        listening = server.agent_server(self.conf, self.enrollment, agent, lock_path=self.locks)
        listening.start()
        self.addCleanup(listening.wait)
        self.addCleanup(listening.stop)
        order = messages.PhaseOrder(order_id="o", cluster_id="c", phase="certs")
        caster = client.AgentApi(self.conf)
        self.addCleanup(caster.close)
        caster.run_phase("node1", order)
        self.assertEqual(order, agent.heard.get(timeout=10))

    def test_a_call_without_a_receiver_is_unavailable(self) -> None:
        self.conf.set_override("call_timeout", 1.0, group="messaging")
        other = self.rabbit.configuration()
        other.set_override("call_timeout", 1.0, group="messaging")
        other.set_override("transport_url", other.transport_url[:-1] + "elsewhere")
        self._make_virtual_host("elsewhere")
        api = client.ConductorApi(other)
        self.addCleanup(api.close)
        asked = messages.EnrollNode(node_id="n", amqp_password="p")
        self.assertRaises(errors.Unavailable, api.enroll_node, asked)

    def test_an_answer_is_not_put_into_a_queue_that_is_no_agents(self) -> None:
        victim = "hypernetes-agent.node2"
        channel = self.rabbit.channel()
        self.addCleanup(channel.connection.close)
        channel.queue_declare(victim, auto_delete=False)
        own = "reply_node1:agent:77"
        node = self.rabbit.channel(rabbitmq_admin.node_user("node1"), PASSWORD)
        self.addCleanup(node.connection.close)
        node.queue_declare(own)
        self._call_by_hand(node, victim)
        self._call_by_hand(node, own)
        # The answer to the honest call has come, so the one to the forged call would have come too.
        self._await_message(node, own)
        self.assertIsNone(channel.basic_get(victim))

    def _call_by_hand(self, channel: Any, reply_queue: str) -> None:
        beat = messages.Heartbeat(caller=self.agent.caller, address="a", agent_version="1", boot_id="b")
        message = {
            "method": "heartbeat",
            "version": "1.0",
            "args": {"message": codec.encode(beat)},
            "_msg_id": uuid.uuid4().hex,
            "_unique_id": uuid.uuid4().hex,
            "_reply_q": reply_queue,
            "_timeout": None,
        }
        body = json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(message)})
        channel.basic_publish(
            amqp.Message(body, content_type="application/json", content_encoding="utf-8"),
            exchange=bus.agent_exchange("node1"),
            routing_key=bus.AGENTS_TOPIC,
        )

    def _await_message(self, channel: Any, name: str) -> None:
        arrived: queue.Queue[Any] = queue.Queue()
        channel.basic_consume(name, callback=arrived.put, no_ack=True)
        channel.connection.drain_events(timeout=10)
        self.assertFalse(arrived.empty())

    def _make_virtual_host(self, name: str) -> None:
        import requests

        base = f"{self.conf.messaging.management_url}/api"
        auth = (rabbitmq.USER, self.rabbit.password)
        requests.put(f"{base}/vhosts/{name}", auth=auth, timeout=10).raise_for_status()
        permissions = {"configure": ".*", "write": ".*", "read": ".*"}
        url = f"{base}/permissions/{name}/{rabbitmq.USER}"
        requests.put(url, json=permissions, auth=auth, timeout=10).raise_for_status()
