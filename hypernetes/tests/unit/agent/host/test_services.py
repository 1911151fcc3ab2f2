# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.host.services, against a server that answers like supervisor's."""

import configparser
import socketserver
import threading
import xmlrpc.client
from http import server
from pathlib import Path
from typing import Any

import fixtures
import testtools

from hypernetes.agent.host import services


class FakeSupervisor:
    """The methods of supervisor's rpcinterface that are used, over its directory of program files."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        self.groups: dict[str, str] = {}
        self.states: dict[str, str] = {}
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def dispatch(self, method: str, arguments: tuple[Any, ...]) -> Any:
        self.calls.append((method, arguments))
        return getattr(self, method.removeprefix("supervisor."))(*arguments)

    def reloadConfig(self) -> Any:  # noqa: N802 - supervisor's name
        found = {path.stem: path.read_text() for path in self.programs.glob("*.conf")}
        added = [name for name in found if name not in self.groups]
        changed = [name for name in found if name in self.groups and self.groups[name] != found[name]]
        removed = [name for name in self.groups if name not in found]
        return [[added, changed, removed]]

    def addProcessGroup(self, name: str) -> bool:  # noqa: N802
        if name in self.groups:
            raise xmlrpc.client.Fault(90, "ALREADY_ADDED")
        self.groups[name] = (self.programs / f"{name}.conf").read_text()
        self.states[name] = "RUNNING"
        return True

    def removeProcessGroup(self, name: str) -> bool:  # noqa: N802
        if name not in self.groups:
            raise xmlrpc.client.Fault(10, "BAD_NAME")
        if self.states[name] == "RUNNING":
            raise xmlrpc.client.Fault(91, "STILL_RUNNING")
        del self.groups[name], self.states[name]
        return True

    def stopProcess(self, name: str, wait: bool) -> bool:  # noqa: N802
        if name not in self.states:
            raise xmlrpc.client.Fault(10, "BAD_NAME")
        if self.states[name] != "RUNNING":
            raise xmlrpc.client.Fault(70, "NOT_RUNNING")
        self.states[name] = "STOPPED"
        return True

    def startProcess(self, name: str, wait: bool) -> bool:  # noqa: N802
        if self.states[name] == "RUNNING":
            raise xmlrpc.client.Fault(60, "ALREADY_STARTED")
        self.states[name] = "RUNNING"
        return True

    def getProcessInfo(self, name: str) -> Any:  # noqa: N802
        if name not in self.states:
            raise xmlrpc.client.Fault(10, "BAD_NAME")
        return {"statename": self.states[name]}


class SupervisorTest(testtools.TestCase):
    PROGRAM = services.Program("containerd", ("/bin/containerd", "--config", "/etc/c.toml"), {"PATH": "/bin:/100%"})

    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.FakeLogger())
        directory = Path(self.useFixture(fixtures.TempDir()).path)
        self.programs = directory / "programs"
        self.programs.mkdir()
        self.fake = FakeSupervisor(self.programs)
        self._serve(directory / "supervisor.sock")
        self.supervisor = services.Supervisor(
            directory / "supervisor.sock", self.programs, directory / "logs", timeout=5
        )

    def _serve(self, path: Path) -> None:
        fake = self.fake

        class Handler(server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                arguments, method = xmlrpc.client.loads(body)
                try:
                    answer: Any = (fake.dispatch(str(method), arguments),)
                except xmlrpc.client.Fault as fault:
                    answer = fault
                text = xmlrpc.client.dumps(answer, methodresponse=True, allow_none=True).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

            def address_string(self) -> str:
                return "unix"

        listener = socketserver.ThreadingUnixStreamServer(str(path), Handler)
        threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True).start()
        self.addCleanup(listener.server_close)
        self.addCleanup(listener.shutdown)

    def test_an_installed_program_runs(self) -> None:
        self.assertIs(services.ServiceState.UNKNOWN, self.supervisor.state("containerd"))
        self.supervisor.install(self.PROGRAM)
        self.assertIs(services.ServiceState.RUNNING, self.supervisor.state("containerd"))

    def test_installing_it_again_changes_nothing(self) -> None:
        self.supervisor.install(self.PROGRAM)
        self.fake.calls.clear()
        self.supervisor.install(self.PROGRAM)
        self.assertEqual(
            ["supervisor.reloadConfig", "supervisor.getProcessInfo"], [method for method, _ in self.fake.calls]
        )

    def test_a_changed_program_is_replaced(self) -> None:
        self.supervisor.install(self.PROGRAM)
        self.supervisor.install(services.Program("containerd", ("/bin/other",)))
        self.assertIn("/bin/other", self.fake.groups["containerd"])
        self.assertIs(services.ServiceState.RUNNING, self.supervisor.state("containerd"))

    def test_one_that_was_given_up_is_started_again(self) -> None:
        self.supervisor.install(self.PROGRAM)
        self.fake.states["containerd"] = "FATAL"
        self.supervisor.install(self.PROGRAM)
        self.assertIs(services.ServiceState.RUNNING, self.supervisor.state("containerd"))

    def test_a_removed_program_is_stopped_and_forgotten_and_that_may_be_repeated(self) -> None:
        self.supervisor.install(self.PROGRAM)
        self.supervisor.remove("containerd")
        self.supervisor.remove("containerd")
        self.assertEqual(({}, []), (self.fake.groups, list(self.programs.iterdir())))

    def test_restarting_starts_one_that_does_not_run(self) -> None:
        self.supervisor.install(self.PROGRAM)
        self.fake.states["containerd"] = "STOPPED"
        self.supervisor.restart("containerd")
        self.assertIs(services.ServiceState.RUNNING, self.supervisor.state("containerd"))

    def test_a_supervisor_that_is_away_is_an_error_and_an_unknown_state(self) -> None:
        away = services.Supervisor(Path("/nonexistent/socket"), self.programs, self.programs, timeout=1)
        self.assertRaises(services.SupervisorFailed, away.restart, "containerd")
        self.assertIs(services.ServiceState.UNKNOWN, away.state("containerd"))

    def test_the_program_file_lets_shims_outlive_the_program_and_escapes_percent_signs(self) -> None:
        parser = configparser.RawConfigParser()
        parser.read_string(services.program_file(self.PROGRAM, Path("/log")))
        section = parser["program:containerd"]
        self.assertEqual(("false", "false"), (section["stopasgroup"], section["killasgroup"]))
        self.assertEqual('PATH="/bin:/100%%"', section["environment"])
        self.assertEqual("/bin/containerd --config /etc/c.toml", section["command"])


class WaitTest(testtools.TestCase):
    def test_it_ends_with_the_condition_or_with_the_time(self) -> None:
        answers = iter([False, True])
        self.assertTrue(services.wait_until(lambda: next(answers), 10))
        self.assertFalse(services.wait_until(lambda: False, 0))
