# SPDX-License-Identifier: Apache-2.0
"""A whole conductor, on SQLite and oslo.messaging's bus in memory: it starts, works, listens and ends in order.

RabbitMQ's management API is a small HTTP server; nothing else outside is reached.
"""

import hashlib
import http.server
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import fixtures
import oslo_messaging
import testtools
from oslo_config import cfg

from hypernetes.conductor import service
from hypernetes.conductor.clusters import keys
from hypernetes.conductor.engine import outcome
from hypernetes.conf import conductor
from hypernetes.conf import kubernetes
from hypernetes.conf import openstack
from hypernetes.model import bus
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.rpc import client
from hypernetes.rpc import codec
from hypernetes.rpc import guard
from hypernetes.rpc import messages
from hypernetes.rpc import methods
from hypernetes.rpc import transport
from hypernetes.tests.support import conductor_fixture
from hypernetes.tests.support import database
from hypernetes.tests.support.fakes import openstack_http

TOKEN = "the-agents-token"


class Management(fixtures.Fixture):
    """RabbitMQ's management API: it lists nothing, and can be made to hold an answer back."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.asked = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()

    def _setUp(self) -> None:  # noqa: N802 - fixtures' name
        fixture = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fixture.requests.append(f"{self.command} {self.path.partition('?')[0]}")
                fixture.asked.set()
                fixture.may_answer.wait(30)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"[]")

            do_DELETE = do_GET  # noqa: N815 - http.server's name

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        self.addCleanup(thread.join, 10)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.addCleanup(self.may_answer.set)
        self.url = f"http://127.0.0.1:{server.server_port}"


class ConductorCase(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.management = self.useFixture(Management())
        # The driver in memory knows no exchange by which a node's call came; functional/rpc tries this on RabbitMQ.
        self.useFixture(fixtures.MockPatchObject(guard, "sender", return_value="node1"))
        self.useFixture(fixtures.MockPatchObject(guard, "problem", return_value=None))
        self.useFixture(fixtures.FakeLogger())
        self.migrated = self.useFixture(database.MigratedDatabase())
        self.db = self.migrated.database
        self.directory = Path(self.useFixture(fixtures.TempDir()).path)
        self.conf = self.configuration()

    def configuration(self) -> cfg.ConfigOpts:
        """Of its own; the clocks go seldom, so that what happens soon happens for another reason."""
        conf = database.configuration(str(self.migrated.conf.database.connection))
        for module in (conductor, openstack, kubernetes):
            conf.register_opts(module.OPTIONS, group=cfg.OptGroup(module.GROUP.name))
        transport.register_options(conf)
        key_file = self.directory / "conductor.key"
        key_file.write_text(conductor_fixture.FERNET_KEY)
        key_file.chmod(0o600)
        conf.set_override("transport_url", "fake://")
        openstack_http.set_credentials(conf, "http://127.0.0.1:9/v3")
        self.override(conf, "messaging", management_url=self.management.url, call_timeout=10.0)
        self.override(
            conf,
            "conductor",
            key_file=str(key_file),
            workers=2,
            resync_interval=600.0,
            heartbeat_flush_interval=600.0,
        )
        return conf

    def override(self, conf: cfg.ConfigOpts, group: str, **settings: Any) -> None:
        for name, value in settings.items():
            conf.set_override(name, value, group=group)
            self.addCleanup(conf.clear_override, name, group=group)

    def started(self) -> service.Conductor:
        made = service.Conductor(self.conf)
        made.start()
        self.addCleanup(made.stop)
        return made

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for something that is about to happen."""
        deadline = time.monotonic() + 10
        while not condition():
            self.assertLess(time.monotonic(), deadline, "it did not happen")
            time.sleep(0.01)

    def node(self, name: str = "node1", **fields: Any) -> records.Node:
        """An enrolled node."""
        made = database.node(self.db, name)
        return self.db.nodes.observe(made.id, token_hash=hashlib.sha256(TOKEN.encode()).hexdigest(), **fields)

    def deleting(self, name: str) -> records.Node:
        """A node that is to be revoked."""
        made = self.node(name)
        self.db.nodes.mark_deleting(made.id)
        return made

    def is_gone(self, node: records.Node) -> bool:
        return node.id not in [other.id for other in self.db.nodes.list()]

    def beat(self, node: records.Node, token: str = TOKEN) -> Any:
        """A heartbeat as it comes to the exchange of agents' calls, and the answer."""
        target = oslo_messaging.Target(exchange=bus.AGENTS_EXCHANGE, topic=bus.AGENTS_TOPIC, version=methods.VERSION)
        caller = oslo_messaging.get_rpc_client(transport.service_transport(self.conf), target, timeout=10)
        message = messages.Heartbeat(messages.Caller(node.id, token), "192.0.2.11", "1.0", "boot")
        return caller.call({}, "heartbeat", message=codec.encode(message))


class StartTest(ConductorCase):
    def test_what_was_left_undone_is_taken_up_at_once(self) -> None:
        node = self.deleting("node1")
        self.started()
        self.until(lambda: self.is_gone(node))
        self.assertIn("DELETE /api/users/hypernetes-agent-node1", self.management.requests)

    def test_every_kind_has_its_reconciler(self) -> None:
        made = service.Conductor(self.conf)
        self.assertEqual(
            {"cluster", "node", "namespace", "port", "port-garbage", "port-pool"}, set(made._engine._reconcilers)
        )

    def test_making_one_reaches_nothing_and_starts_nothing(self) -> None:
        before = threading.active_count()
        service.Conductor(self.conf)
        self.assertEqual((before, []), (threading.active_count(), self.management.requests))

    def test_without_its_keys_it_does_not_start(self) -> None:
        spoils: tuple[Callable[[Path], object], ...] = (
            lambda file: file.chmod(0o644),
            lambda file: file.write_text(""),
            lambda file: file.unlink(),
        )
        for spoil in spoils:
            conf = self.configuration()
            spoil(Path(conf.conductor.key_file))
            error = self.assertRaises(keys.KeyFileUnusable, service.Conductor, conf)
            self.assertIn(conf.conductor.key_file, str(error))


class ListenTest(ConductorCase):
    def test_the_api_wakes_it(self) -> None:
        self.started()
        node = self.deleting("node1")
        api = client.ConductorApi(self.conf)
        self.addCleanup(api.close)
        api.wake(messages.Wake(kinds.Kind.NODE, node.id))
        self.until(lambda: self.is_gone(node))

    def test_the_api_is_answered(self) -> None:
        self.started()
        fresh = database.node(self.db, "fresh")
        api = client.ConductorApi(self.conf)
        self.addCleanup(api.close)
        self.assertRaises(errors.Conflict, api.enroll_node, messages.EnrollNode(fresh.id, "chosen"))

    def test_an_agent_is_answered_and_one_with_a_wrong_token_refused(self) -> None:
        self.started()
        node = self.node()
        self.assertIn("answer", self.beat(node))
        self.assertEqual(errors.Unauthenticated.code, self.beat(node, "wrong")["error"]["code"])

    def test_heartbeats_are_written_by_the_clock(self) -> None:
        self.override(self.conf, "conductor", heartbeat_flush_interval=0.1)
        self.started()
        node = self.node()
        self.beat(node)
        self.until(lambda: self.db.nodes.get(node.id).status is states.NodeStatus.UP)


class StopTest(ConductorCase):
    def test_wait_returns_when_it_has_stopped_and_not_before(self) -> None:
        made = self.started()
        waiting = threading.Thread(target=made.wait, daemon=True)
        waiting.start()
        waiting.join(0.05)
        self.assertTrue(waiting.is_alive())
        made.stop()
        waiting.join(10)
        self.assertFalse(waiting.is_alive())

    def test_it_leaves_no_thread_and_can_be_stopped_twice(self) -> None:
        before = set(threading.enumerate())
        made = self.started()
        ours = [thread.name for thread in set(threading.enumerate()) - before]
        self.assertEqual(2, len([name for name in ours if name.startswith("worker-")]))
        self.assertIn("leases", ours)
        made.stop()
        made.stop()
        for kind in ("worker-", "leases", "resync", "audit", "heartbeats", "silent-nodes"):
            self.assertEqual([], [t for t in set(threading.enumerate()) - before if t.name.startswith(kind)])

    def test_the_last_heartbeats_are_written(self) -> None:
        made = self.started()
        node = self.node()
        self.beat(node)
        self.assertIs(states.NodeStatus.ENROLLING, self.db.nodes.get(node.id).status)
        made.stop()
        self.assertIs(states.NodeStatus.UP, self.db.nodes.get(node.id).status)

    def test_it_ends_though_the_last_heartbeats_cannot_be_written(self) -> None:
        made = self.started()
        self.beat(self.node())
        with mock.patch.object(
            made._dependencies.db.nodes, "heartbeat_many", side_effect=OSError("the database is away")
        ):
            made.stop()
        self.assertTrue(made._stopped.is_set())

    def test_a_step_that_runs_is_finished_and_nothing_else_begun(self) -> None:
        self.override(self.conf, "conductor", workers=1)
        self.management.may_answer.clear()
        first = self.deleting("node1")
        made = self.started()
        self.assertTrue(self.management.asked.wait(10))
        second = self.deleting("node2")
        made._queue.add(outcome.Key("node", second.id))
        stopping = threading.Thread(target=made.stop, daemon=True)
        stopping.start()
        self.until(lambda: made._queue._closed)
        self.management.may_answer.set()
        stopping.join(10)
        self.assertFalse(stopping.is_alive())
        self.assertEqual((True, False), (self.is_gone(first), self.is_gone(second)))
        self.assertEqual([], [r for r in self.management.requests if r.endswith("node2")])

    def test_its_leases_are_free_for_another_one(self) -> None:
        node = self.deleting("node1")
        made = self.started()
        self.until(lambda: self.is_gone(node))
        made.stop()
        self.assertTrue(self.db.leases.acquire(f"node:{node.id}", "another", 30.0))

    def test_it_takes_no_message_any_more(self) -> None:
        made = self.started()
        made.stop()
        node = self.deleting("node1")
        api = client.ConductorApi(self.conf)
        self.addCleanup(api.close)
        with mock.patch.object(made._queue, "add") as added:
            api.wake(messages.Wake(kinds.Kind.NODE, node.id))
            time.sleep(0.2)  # The bus in memory is looked at every 0.05 s.
        added.assert_not_called()


class SilenceTest(ConductorCase):
    """Nodes of which nothing is heard."""

    def setUp(self) -> None:
        super().setUp()
        self.silent = self.reported("silent")
        self.made = service.Conductor(self.conf)

    def reported(self, name: str) -> records.Node:
        """A node that is UP."""
        made = self.node(name)
        self.db.nodes.heartbeat_many([records.NodeReport(ids.NodeId(made.id), "192.0.2.11", "1.0", "boot")])
        return made

    def status(self) -> states.NodeStatus:
        return self.db.nodes.get(self.silent.id).status

    def look(self, conductor_age: float, silence: float) -> None:
        """Look for silent nodes so many seconds after the conductor's start."""
        self.made._started_at = time.monotonic() - conductor_age
        mark_down = self.made._dependencies.db.nodes.mark_down
        # A report is as old as the database's clock says; so the span is moved, not the clock.
        with mock.patch.object(
            self.made._dependencies.db.nodes, "mark_down", lambda seconds: mark_down(seconds - silence)
        ):
            self.made._mark_silent_nodes()

    def test_a_node_is_down_after_the_configured_silence(self) -> None:
        self.look(conductor_age=61.0, silence=61.0)
        self.assertIs(states.NodeStatus.DOWN, self.status())

    def test_a_node_that_was_heard_of_meanwhile_is_up(self) -> None:
        self.look(conductor_age=61.0, silence=58.0)
        self.assertIs(states.NodeStatus.UP, self.status())

    def test_a_conductor_that_has_just_started_listens_first(self) -> None:
        self.look(conductor_age=30.0, silence=3600.0)
        self.assertIs(states.NodeStatus.UP, self.status())
