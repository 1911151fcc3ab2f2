# SPDX-License-Identifier: Apache-2.0
"""What agents and the API are answered, and what a node with a wrong token is."""

import hashlib
from unittest import mock

import testtools
from lightkube.resources import core_v1 as core

from hypernetes.conductor import orders
from hypernetes.conductor.engine import outcome
from hypernetes.conductor.nodes import heartbeats
from hypernetes.conductor.nodes import reconciler
from hypernetes.conductor.rpc import for_agents
from hypernetes.conductor.rpc import for_api
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.rpc import codec
from hypernetes.rpc import messages
from hypernetes.tests.support import conductor_fixture
from hypernetes.tests.support import database

TOKEN = "the-agents-token"


class EndpointCase(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.fixture = self.useFixture(conductor_fixture.ConductorFixture())
        self.db = self.fixture.database
        self.node = self.enrolled("node1", TOKEN)
        self.heartbeats = heartbeats.Heartbeats(self.fixture.dependencies)
        self.agents = for_agents.AgentsEndpoint(self.fixture.dependencies, self.heartbeats)
        self.caller = messages.Caller(self.node.id, TOKEN)

    def enrolled(self, name: str, token: str) -> records.Node:
        made = database.node(self.db, name)
        return self.db.nodes.observe(made.id, token_hash=hashlib.sha256(token.encode()).hexdigest())

    def beat(self, caller: messages.Caller | None = None, **services: str) -> messages.HeartbeatAnswer:
        message = messages.Heartbeat(caller or self.caller, "192.0.2.11", "1.0", "boot", services)
        return self.agents.heartbeat(message)


class AgentsEndpointTest(EndpointCase):
    def test_every_method_refuses_a_wrong_token(self) -> None:
        other = self.enrolled("node2", "another-token")
        for caller in (
            messages.Caller(self.node.id, "wrong"),
            messages.Caller(self.node.id, ""),
            messages.Caller(other.id, TOKEN),
            messages.Caller(ids.new_uuid(), TOKEN),
            messages.Caller(database.node(self.db, "never-enrolled").id, TOKEN),
        ):
            sandbox = messages.Sandbox("s", "n", "p", "u")
            for act, message in (
                (self.agents.heartbeat, messages.Heartbeat(caller, "a", "1", "b")),
                (self.agents.phase_result, messages.PhaseResult(caller, "o", True)),
                (self.agents.allocate_port, messages.AllocatePort(caller, sandbox)),
                (self.agents.release_port, messages.ReleasePort(caller, "s")),
                (self.agents.list_ports, messages.ListPorts(caller)),
            ):
                self.assertRaises(errors.Unauthenticated, act, message)

    def test_a_node_that_was_deleted_is_refused_at_once(self) -> None:
        self.beat()
        self.db.nodes.mark_deleting(self.node.id)
        self.assertRaises(errors.Unauthenticated, self.beat)

    def test_heartbeats_are_written_together(self) -> None:
        self.beat()
        self.beat()
        self.assertIs(states.NodeStatus.ENROLLING, self.db.nodes.get(self.node.id).status)
        self.heartbeats.flush()
        now = self.db.nodes.get(self.node.id)
        self.assertEqual((states.NodeStatus.UP, "192.0.2.11"), (now.status, now.address))

    def test_a_failed_program_of_a_node_is_shown_until_it_has_recovered(self) -> None:
        self.beat(containerd="RUNNING", kubelet="FAILED")
        self.heartbeats.flush()
        now = self.db.nodes.get(self.node.id)
        self.assertIs(states.NodeStatus.UP, now.status)
        self.assertEqual(
            "Programs that have failed on the node: kubelet. Their logs there have the cause.", now.status_reason
        )
        self.beat(containerd="RUNNING", kubelet="STARTING")
        self.heartbeats.flush()
        self.assertIsNone(self.db.nodes.get(self.node.id).status_reason)

    def test_heartbeats_that_could_not_be_written_are_kept(self) -> None:
        self.beat()
        written = self.db.nodes.heartbeat_many
        self.db.nodes.heartbeat_many = self._refuse  # type: ignore[method-assign]
        self.assertRaises(errors.Unavailable, self.heartbeats.flush)
        self.db.nodes.heartbeat_many = written  # type: ignore[method-assign]
        self.heartbeats.flush()
        self.assertIs(states.NodeStatus.UP, self.db.nodes.get(self.node.id).status)

    def _refuse(self, batch: object) -> None:
        raise errors.Unavailable(service="The database", reason="it cannot be reached")

    def test_what_a_node_says_of_itself_is_checked(self) -> None:
        for wrong in (
            {"address": "a"},
            {"address": "fe80::1%" + "x" * 64},
            {"boot_id": "b" * 65},
            {"agent_version": "\n"},
            {"services": {"kube\nlet": "FAILED"}},
            {"services": {f"program{number}": "RUNNING" for number in range(9)}},
        ):
            fields = {"address": "192.0.2.11", "agent_version": "1.0", "boot_id": "boot"} | wrong
            report = codec.decode(messages.Heartbeat, {"caller": codec.encode(self.caller)} | fields)
            self.assertRaises(errors.BadRequest, self.agents.heartbeat, report)
        self.heartbeats.flush()
        self.assertIs(states.NodeStatus.ENROLLING, self.db.nodes.get(self.node.id).status)

    def test_a_heartbeat_that_the_database_does_not_take_holds_up_no_other(self) -> None:
        poisoned = records.NodeReport(self.enrolled("node2", "t").id, "192.0.2.12", "\ud800", "boot")
        self.beat()
        self.heartbeats.add(poisoned)
        self.heartbeats.flush()
        self.assertIs(states.NodeStatus.UP, self.db.nodes.get(self.node.id).status)
        self.assertIs(states.NodeStatus.ENROLLING, self.db.nodes.get(poisoned.node_id).status)

    def test_a_heartbeat_is_answered_with_the_nodes_order(self) -> None:
        self.assertIsNone(self.beat().order)
        order = messages.PhaseOrder("o", ids.new_uuid(), "certs", {"a.yaml": "b"})
        self.db.nodes.observe(self.node.id, order=orders.encode(order))
        self.assertEqual(order, self.beat().order)

    def test_a_released_port_is_marked_and_an_unknown_one_is_fine(self) -> None:
        cluster = database.cluster(self.db)
        namespace = database.namespace(self.db, cluster.id)
        port = database.port(self.db, namespace.id, self.node.id)
        self.assertEqual(1, len(self.agents.list_ports(messages.ListPorts(self.caller)).ports))
        for sandbox in (port.sandbox_id, port.sandbox_id, "unknown"):
            self.agents.release_port(messages.ReleasePort(self.caller, sandbox))
        self.assertIs(states.PortStatus.DELETING, self.db.ports.get(port.id).status)
        self.assertIn(outcome.Key("port", port.id), self.fixture.woken)
        self.assertEqual((), self.agents.list_ports(messages.ListPorts(self.caller)).ports)

    def test_a_machine_that_was_out_of_memory_gives_its_pod_one_event(self) -> None:
        namespace = database.namespace(self.db, database.cluster(self.db).id)
        port = database.port(self.db, namespace.id, self.node.id)
        message = messages.ReleasePort(self.caller, port.sandbox_id, messages.OutOfMemory(600 << 20, 512 << 20))
        self.agents.release_port(message)
        self.agents.release_port(message)
        (event,) = self.fixture.apiserver.apiserver.list(core.Event)
        self.assertEqual((namespace.name, port.pod_name), (event.involvedObject.namespace, event.involvedObject.name))
        self.assertEqual((port.pod_uid, "MachineOOMKilled"), (event.involvedObject.uid, event.reason))
        self.assertIn("used 600 MiB of the 512 MiB", event.message)

    def test_an_event_that_cannot_be_created_does_not_keep_the_port(self) -> None:
        namespace = database.namespace(self.db, database.cluster(self.db).id)
        for number, error in enumerate(
            (errors.Unavailable(service="Kubernetes", reason="busy"), errors.NameTaken(kind="Event", name="e"))
        ):
            port = database.port(self.db, namespace.id, self.node.id, f"{number}")
            with mock.patch.object(self.fixture.apiserver.apiserver, "create", side_effect=error):
                self.agents.release_port(messages.ReleasePort(self.caller, port.sandbox_id, messages.OutOfMemory(1, 1)))
            self.assertIs(states.PortStatus.DELETING, self.db.ports.get(port.id).status)

    def test_an_event_of_another_node_or_with_impossible_numbers_is_refused(self) -> None:
        namespace = database.namespace(self.db, database.cluster(self.db).id)
        foreign = database.port(self.db, namespace.id, self.enrolled("node2", "x").id)
        own = database.port(self.db, namespace.id, self.node.id, "own")
        for port, used, refusal in (
            (foreign, 1, errors.Refused),
            (own, -1, errors.BadRequest),
            (own, 2**63, errors.BadRequest),
        ):
            message = messages.ReleasePort(self.caller, port.sandbox_id, messages.OutOfMemory(used, 1))
            self.assertRaises(refusal, self.agents.release_port, message)
        self.assertEqual([], self.fixture.apiserver.apiserver.list(core.Event))

    def test_another_nodes_port_cannot_be_released(self) -> None:
        cluster = database.cluster(self.db)
        namespace = database.namespace(self.db, cluster.id)
        port = database.port(self.db, namespace.id, self.enrolled("node2", "x").id)
        self.assertRaises(errors.Refused, self.agents.release_port, messages.ReleasePort(self.caller, port.sandbox_id))
        self.assertIs(states.PortStatus.CREATING, self.db.ports.get(port.id).status)


class ApiEndpointTest(EndpointCase):
    def setUp(self) -> None:
        super().setUp()
        self.api = for_api.ApiEndpoint(self.fixture.dependencies)

    def test_enrollment_makes_the_user_and_tells_the_way_without_the_password(self) -> None:
        self.fixture.conf.set_override("node_transport_url", "rabbit://{user}:{password}@h:5671//", group="messaging")
        answer = self.api.enroll_node(messages.EnrollNode(self.node.id, "chosen"))
        self.assertEqual({"node1": "chosen"}, self.fixture.broker.nodes)
        self.assertEqual("rabbit://hypernetes-agent-node1:{password}@h:5671//", answer.transport_url)
        self.assertEqual(("hypernetes.node1", "hypernetes-agent.node1"), (answer.exchange, answer.topic))

    def test_a_node_without_a_recorded_token_is_not_enrolled(self) -> None:
        fresh = database.node(self.db, "fresh")
        self.assertRaises(errors.Conflict, self.api.enroll_node, messages.EnrollNode(fresh.id, "chosen"))
        self.assertEqual({}, self.fixture.broker.nodes)

    def test_a_wake_names_an_object_of_ours(self) -> None:
        self.api.wake(messages.Wake(kinds.Kind.NAMESPACE, "id"))
        self.api.wake(messages.Wake(kinds.Kind.PROJECT, "id"))
        self.assertEqual([outcome.Key(kinds.Kind.NAMESPACE, "id")], self.fixture.woken)


class NodeReconcilerTest(EndpointCase):
    def test_a_deleted_node_is_revoked_before_it_is_forgotten(self) -> None:
        self.fixture.broker.nodes["node1"] = "secret"
        self.db.nodes.mark_deleting(self.node.id)
        used = reconciler.NodeReconciler(self.fixture.dependencies)
        self.assertEqual([self.node.id], list(used.unsettled()))
        self.assertIsInstance(used.reconcile(self.node.id, conductor_fixture.never_lost()), outcome.Settled)
        self.assertEqual(({}, ()), (self.fixture.broker.nodes, self.db.nodes.list()))
