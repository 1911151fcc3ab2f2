# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.local.server: requests and answers, and the socket itself."""

import json
import os
import socket
import stat
import threading
from pathlib import Path
from typing import Any
from unittest import mock

import fixtures
import testtools

from hypernetes.agent.local import fair_executor
from hypernetes.agent.local import server
from hypernetes.agent.ports import driver as drivers
from hypernetes.agent.ports import sandbox_ports
from hypernetes.agent.ports.sandboxes import SandboxRecord
from hypernetes.agent.ports.sandboxes import SandboxState
from hypernetes.model import errors
from hypernetes.rpc import request_context
from hypernetes.tests.support import agent_builders

ADD = {
    "command": "ADD",
    "container_id": "abc",
    "interface": "eth0",
    "netns": "/run/netns/x",
    "pod": {"namespace": "red", "name": "web", "uid": "uid-1"},
}


class HandlerTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.FakeLogger())
        self.ports = mock.Mock(spec=sandbox_ports.SandboxPorts)
        self.handler = server.Handler(self.ports)

    def _ask(self, request: Any) -> dict[str, Any]:
        return self.handler.handle(json.dumps(request).encode() + b"\n")

    def _code(self, request: Any) -> int:
        return int(self._ask(request)["error"]["code"])

    def test_add_answers_the_sandboxs_network(self) -> None:
        self.ports.add.side_effect = lambda sandbox: SandboxRecord(
            sandbox.sandbox_id, SandboxState.PLUGGED, binding=agent_builders.binding(5)
        )
        result = self._ask(ADD)["result"]
        self.assertEqual(("tap00000005-31", ["10.0.0.5/24"]), (result["tap"], result["addresses"]))
        asked = self.ports.add.call_args.args[0]
        self.assertEqual(("red", "web", "uid-1"), (asked.pod_namespace, asked.pod_name, asked.pod_uid))

    def test_each_call_is_a_request_of_its_own(self) -> None:
        requests: list[str | None] = []
        self.ports.delete.side_effect = lambda _: requests.append(request_context.current_id())
        for _ in range(2):
            self._ask({"command": "DEL", "container_id": "abc"})
        self.assertEqual(2, len(set(requests) - {None}))

    def test_what_may_pass_by_itself_is_to_be_tried_again(self) -> None:
        for error in (errors.Unavailable(service="Neutron", reason="x"), drivers.PlugFailed("OVN is late")):
            self.ports.add.side_effect = error
            self.assertEqual(11, self._code(ADD))

    def test_a_refusal_of_the_conductor_is_told_in_its_words(self) -> None:
        self.ports.add.side_effect = errors.QuotaExceeded(reason="10 ports")
        answer = self._ask(ADD)["error"]
        self.assertEqual((100, "The project's quota does not allow it: 10 ports."), (answer["code"], answer["message"]))

    def test_a_surprise_is_told_without_its_text(self) -> None:
        self.ports.add.side_effect = KeyError("secret")
        self.assertNotIn("secret", json.dumps(self._ask(ADD)))

    def test_malformed_requests_are_refused(self) -> None:
        wrong: list[Any] = [
            "x",
            [],
            {"command": "RUN"},
            ADD | {"pod": "web"},
            ADD | {"pod": {"namespace": "red"}},
            ADD | {"container_id": "../abc"},
            ADD | {"netns": 1},
            ADD | {"netns": "x" * 5000},
            {"command": "GC"},
        ]
        for request in wrong:
            self.assertEqual(6, self._code(request), request)
        self.assertEqual(6, self.handler.handle(b"{\n")["error"]["code"])
        self.ports.add.assert_not_called()

    def test_the_other_commands_reach_the_ports(self) -> None:
        for request in (
            {"command": "DEL", "container_id": "abc", "netns": ""},
            {"command": "CHECK", "container_id": "abc"},
            {"command": "STATUS"},
            {"command": "GC", "attachments": ["abc"]},
        ):
            self.assertEqual({"result": {}}, self._ask(request))
        self.ports.delete.assert_called_once_with("abc")
        self.ports.check.assert_called_once_with("abc")
        self.ports.status.assert_called_once_with()

    def test_checks_and_status_have_codes_of_their_own(self) -> None:
        self.ports.check.side_effect = sandbox_ports.UnknownSandbox("abc")
        self.assertEqual(3, self._code({"command": "CHECK", "container_id": "abc"}))
        self.ports.check.side_effect = drivers.PlugFailed("gone")
        self.assertEqual(100, self._code({"command": "CHECK", "container_id": "abc"}))
        self.ports.status.side_effect = drivers.PlugFailed("no switch")
        self.assertEqual(50, self._code({"command": "STATUS"}))


class LocalServerTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.FakeLogger())
        self.path = Path(self.useFixture(fixtures.TempDir()).path) / "run" / "agent.sock"
        self.useFixture(fixtures.MockPatchObject(server, "_peer_user", return_value=0))
        self.useFixture(fixtures.MockPatchObject(server, "IDLE_SECONDS", 0.05))
        self._start(lambda line: {"echo": line.decode().strip()})

    def _start(self, handle: Any) -> None:
        local = server.LocalServer(self.path, handle, workers=2)
        local.bind()
        stop = threading.Event()
        thread = threading.Thread(target=local.serve_until, args=(stop,))
        thread.start()
        self.addCleanup(thread.join, 10)
        self.addCleanup(stop.set)

    def _ask(self, data: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self.path))
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                with connection.makefile("rb") as file:
                    return file.readline()
            except ConnectionError:
                # Closed before what we sent was read, or before it was sent: no answer either.
                return b""

    def test_only_the_owner_may_connect(self) -> None:
        self.assertEqual(0o600, stat.S_IMODE(self.path.stat().st_mode))

    def test_a_line_is_answered_by_a_line(self) -> None:
        self.assertEqual(b'{"echo": "hello"}\n', self._ask(b"hello\n"))

    def test_a_request_without_end_gets_no_answer(self) -> None:
        self.assertEqual(b"", self._ask(b"hello"))

    def test_another_user_gets_no_answer(self) -> None:
        self.useFixture(fixtures.MockPatchObject(server, "_peer_user", return_value=1000))
        self.assertEqual(b"", self._ask(b"hello\n"))

    def test_a_socket_a_killed_agent_left_is_replaced(self) -> None:
        self._start(lambda _line: {"agent": "second"})
        self.assertEqual(b'{"agent": "second"}\n', self._ask(b"hello\n"))

    def test_more_callers_than_workers_are_all_served(self) -> None:
        answers: list[bytes] = []
        threads = [threading.Thread(target=lambda: answers.append(self._ask(b"x\n"))) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        self.assertEqual([b'{"echo": "x"}\n'] * 20, answers)


class TurnsTest(testtools.TestCase):
    """One namespace's ADDs are stuck, as without a conductor."""

    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.FakeLogger())
        self.path = Path(self.useFixture(fixtures.TempDir()).path) / "agent.sock"
        self.useFixture(fixtures.MockPatchObject(server, "_peer_user", return_value=0))
        self.useFixture(fixtures.MockPatchObject(server, "IDLE_SECONDS", 0.02))
        self.stuck = threading.Event()
        self.begun = threading.Semaphore(0)
        local = server.LocalServer(
            self.path, self._handle, workers=16, project_of=lambda namespace: namespace.split("-", maxsplit=1)[0]
        )
        local.bind()
        stop = threading.Event()
        self.serving = threading.Thread(target=local.serve_until, args=(stop,))
        self.serving.start()
        self.addCleanup(self.serving.join, 10)
        self.addCleanup(self.stuck.set)
        self.addCleanup(stop.set)
        self.stop = stop

    def _handle(self, line: bytes) -> dict[str, Any]:
        request = json.loads(line)
        if request["command"] == "ADD" and request["pod"]["namespace"].startswith("red"):
            self.begun.release()
            self.stuck.wait(30)
        return {"result": request["command"]}

    def _send(self, request: dict[str, Any]) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        self.addCleanup(connection.close)
        connection.settimeout(5)
        connection.connect(str(self.path))
        connection.sendall(json.dumps(request).encode() + b"\n")
        return connection

    def _answer(self, connection: socket.socket) -> dict[str, Any]:
        with connection.makefile("rb") as file:
            answer: dict[str, Any] = json.loads(file.readline())
        return answer

    def _fill(self, number: int) -> list[socket.socket]:
        """So many ADDs of red; returns when as many as may work do."""
        connections = [self._send(ADD) for _ in range(number)]
        for _ in range(min(number, fair_executor.ADDS_PER_NAMESPACE)):
            self.assertTrue(self.begun.acquire(timeout=5))
        return connections

    def test_everything_but_its_own_adds_is_served(self) -> None:
        self._fill(20)
        for request in ({"command": "STATUS"}, {"command": "DEL"}, {"command": "CHECK"}, {"command": "GC"}):
            self.assertEqual({"result": request["command"]}, self._answer(self._send(request)))
        blue = ADD | {"pod": {"namespace": "blue", "name": "web", "uid": "uid-2"}}
        self.assertEqual({"result": "ADD"}, self._answer(self._send(blue)))

    def test_more_adds_of_a_namespace_are_to_be_tried_again(self) -> None:
        self.useFixture(fixtures.MockPatchObject(fair_executor, "PATIENCE_SECONDS", 0.1))
        self._fill(fair_executor.ADDS_PER_NAMESPACE)
        error = self._answer(self._send(ADD))["error"]
        self.assertEqual(11, error["code"])
        self.assertIn("red", error["message"])

    def test_a_burst_waits_for_its_turn(self) -> None:
        connections = self._fill(fair_executor.ADDS_PER_NAMESPACE + 6)
        self.stuck.set()
        self.assertEqual([{"result": "ADD"}] * len(connections), [self._answer(one) for one in connections])

    def test_four_namespaces_of_a_project_do_not_take_all_threads(self) -> None:
        for number in range(4):
            for _ in range(fair_executor.ADDS_PER_NAMESPACE):
                self._send(ADD | {"pod": {"namespace": f"red-{number}", "name": "web", "uid": "uid-1"}})
        for _ in range(8):
            self.assertTrue(self.begun.acquire(timeout=5))
        self.assertFalse(self.begun.acquire(timeout=0.3))
        blue = ADD | {"pod": {"namespace": "blue", "name": "web", "uid": "uid-2"}}
        self.assertEqual({"result": "ADD"}, self._answer(self._send(blue)))
        self.stuck.set()
        for _ in range(8):
            self.assertTrue(self.begun.acquire(timeout=5))

    def test_what_waits_is_bounded(self) -> None:
        self.useFixture(fixtures.MockPatchObject(fair_executor, "MAX_WAITING", 0))
        self._fill(fair_executor.ADDS_PER_NAMESPACE)
        self.assertEqual(11, self._answer(self._send(ADD))["error"]["code"])

    def test_a_stop_refuses_what_waits_and_finishes_what_was_begun(self) -> None:
        connections = self._fill(fair_executor.ADDS_PER_NAMESPACE)
        waiting = self._send(ADD)
        # Asked after it on another connection and answered: the server has accepted it by now.
        self._answer(self._send({"command": "STATUS"}))
        self.stop.set()
        self.assertEqual(11, self._answer(waiting)["error"]["code"])
        self.stuck.set()
        self.assertEqual([{"result": "ADD"}] * len(connections), [self._answer(one) for one in connections])


class PeerTest(testtools.TestCase):
    def test_the_kernel_says_who_is_at_the_other_end(self) -> None:
        server_end, client_end = socket.socketpair()
        with server_end, client_end:
            self.assertEqual(os.getuid(), server._peer_user(server_end))
