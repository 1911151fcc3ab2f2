# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.cni: the executable as a runtime sees it, with an agent that answers from a table."""

import json
import os
import socketserver
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import fixtures
import testtools

from hypernetes.cni import agent
from hypernetes.cni import answer
from hypernetes.cni import errors
from hypernetes.cni import main
from hypernetes.cni import request

POD = "IgnoreUnknown=1;K8S_POD_NAMESPACE=red;K8S_POD_NAME=web;K8S_POD_UID=uid-1;K8S_POD_INFRA_CONTAINER_ID=abc"
PORT = {
    "tap": "tap142c9f5c-31",
    "mac": "fa:16:3e:00:00:05",
    "mtu": 1442,
    "addresses": ["10.0.0.5/24"],
    "routes": [{"destination": "0.0.0.0/0", "gateway": "10.0.0.1"}],
    "name_servers": ["10.0.0.2"],
}


def _environment(command: str, **changes: str) -> dict[str, str]:
    values = {
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": "abc",
        "CNI_IFNAME": "eth0",
        "CNI_NETNS": "/run/netns/x",
        "CNI_ARGS": POD,
    }
    return {name: value for name, value in (values | changes).items() if value}


class FakeAgent:
    """Listens like the agent and gives one answer to all."""

    def __init__(self, path: Path, line: bytes) -> None:
        self.requests: list[Any] = []
        noted = self.requests

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                noted.append(json.loads(self.rfile.readline()))
                self.wfile.write(line)

        self.server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class PluginTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.socket = Path(self.useFixture(fixtures.TempDir()).path) / "agent.sock"
        self.useFixture(fixtures.MockPatchObject(agent, "RECONNECT_SECONDS", 0.2))

    def _agent(self, answered: Any) -> FakeAgent:
        line = answered if isinstance(answered, bytes) else json.dumps(answered).encode() + b"\n"
        fake = FakeAgent(self.socket, line)
        self.addCleanup(fake.stop)
        return fake

    def _text(self, **more: Any) -> str:
        base = {"cniVersion": "1.1.0", "name": "n", "type": "t", "socket": str(self.socket), "timeout": 5}
        return json.dumps(base | more)

    def _error(self, environment: dict[str, str], text: str) -> errors.CniError:
        failure = self.assertRaises(errors.CniError, main.call, environment, text)
        assert isinstance(failure, errors.CniError)
        return failure

    def test_add_tells_the_runtime_the_pods_interface_in_its_sandbox(self) -> None:
        fake = self._agent({"result": PORT})
        self.assertEqual(
            {
                "cniVersion": "1.1.0",
                "interfaces": [
                    {"name": "tap142c9f5c-31"},
                    {"name": "eth0", "mac": "fa:16:3e:00:00:05", "mtu": 1442, "sandbox": "/run/netns/x"},
                ],
                "ips": [{"address": "10.0.0.5/24", "gateway": "10.0.0.1", "interface": 1}],
                "routes": [{"dst": "0.0.0.0/0", "gw": "10.0.0.1"}],
                "dns": {"nameservers": ["10.0.0.2"]},
            },
            main.call(_environment("ADD"), self._text()),
        )
        self.assertEqual(
            [
                {
                    "command": "ADD",
                    "container_id": "abc",
                    "interface": "eth0",
                    "netns": "/run/netns/x",
                    "pod": {"namespace": "red", "name": "web", "uid": "uid-1"},
                }
            ],
            fake.requests,
        )

    def test_the_mtu_is_left_out_of_a_version_that_does_not_know_it(self) -> None:
        self._agent({"result": PORT})
        result = main.call(_environment("ADD"), self._text(cniVersion="1.0.0"))
        assert result is not None
        self.assertEqual(("1.0.0", False), (result["cniVersion"], "mtu" in result["interfaces"][1]))

    def test_an_address_of_another_family_has_no_gateway(self) -> None:
        result = answer.added("1.1.0", {"interface": "e", "netns": "n"}, PORT | {"addresses": ["2001:db8::5/64"]})
        self.assertEqual([{"address": "2001:db8::5/64", "interface": 1}], result["ips"])

    def test_the_other_commands_say_nothing_on_success(self) -> None:
        self._agent({"result": {}})
        for command in ("DEL", "CHECK", "STATUS"):
            self.assertIsNone(main.call(_environment(command), self._text()))

    def test_a_delete_needs_no_network_namespace(self) -> None:
        fake = self._agent({"result": {}})
        main.call(_environment("DEL", CNI_NETNS="", CNI_ARGS=""), self._text())
        self.assertEqual("", fake.requests[0]["netns"])

    def test_garbage_collection_names_the_attachments_that_stay(self) -> None:
        fake = self._agent({"result": {}})
        attachments = [{"containerID": "abc", "ifname": "eth0"}]
        main.call(_environment("GC"), self._text(**{"cni.dev/valid-attachments": attachments}))
        self.assertEqual(["abc"], fake.requests[0]["attachments"])

    def test_garbage_collection_without_a_list_would_take_everything_and_is_refused(self) -> None:
        self.assertEqual(7, self._error(_environment("GC"), self._text()).code)
        self.assertEqual(7, self._error(_environment("GC"), self._text(**{"cni.dev/valid-attachments": [1]})).code)

    def test_versions_are_told_without_the_agent(self) -> None:
        result = main.call({"CNI_COMMAND": "VERSION"}, "{}")
        self.assertEqual({"cniVersion": "1.1.0", "supportedVersions": ["1.0.0", "1.1.0"]}, result)

    def test_each_mistake_of_the_runtime_has_its_code(self) -> None:
        for code, environment, text in (
            (4, _environment("RUN"), self._text()),
            (4, {}, self._text()),
            (4, _environment("ADD", CNI_CONTAINERID=""), self._text()),
            (4, _environment("ADD", CNI_NETNS=""), self._text()),
            (4, _environment("ADD", CNI_ARGS="K8S_POD_NAME=web"), self._text()),
            (6, _environment("ADD"), "{"),
            (6, _environment("ADD"), "[]"),
            (1, _environment("ADD"), self._text(cniVersion="0.4.0")),
            (7, _environment("ADD"), '{"cniVersion": "1.1.0"}'),
        ):
            self.assertEqual(code, self._error(environment, text).code, f"{environment} {text}")

    def test_the_agents_refusal_is_handed_on(self) -> None:
        self._agent({"error": {"code": 100, "message": "no such pod", "details": "d"}})
        failure = self._error(_environment("ADD"), self._text())
        self.assertEqual((100, "no such pod", "d"), (failure.code, failure.message, failure.details))

    def test_an_agent_that_is_away_or_dies_may_be_asked_again(self) -> None:
        self.assertEqual(11, self._error(_environment("DEL"), self._text()).code)
        self._agent(b'{"resu')
        self.assertEqual(11, self._error(_environment("DEL"), self._text()).code)

    def test_an_agent_that_comes_back_in_time_is_waited_for(self) -> None:
        self.useFixture(fixtures.MockPatchObject(agent, "RECONNECT_SECONDS", 10.0))
        timer = threading.Timer(0.3, lambda: self._agent({"result": {}}))
        timer.start()
        self.addCleanup(timer.join)
        self.assertIsNone(main.call(_environment("DEL"), self._text()))

    def test_an_answer_that_is_none_is_told(self) -> None:
        self._agent(b"[]\n")
        self.assertEqual(6, self._error(_environment("DEL"), self._text()).code)


class ExecutableTest(testtools.TestCase):
    SCRIPT = "import sys; sys.path.insert(0, sys.argv[1]); from hypernetes.cni.main import main; "

    def _run(self, script: str, text: str, **environment: str) -> subprocess.CompletedProcess[str]:
        packages = str(Path(request.__file__).parents[2])
        return subprocess.run(
            [sys.executable, "-IS", "-c", self.SCRIPT + script, packages],
            input=text,
            env=environment,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    def test_an_error_is_printed_in_the_runtimes_version_and_the_status_tells(self) -> None:
        ended = self._run("sys.exit(main())", '{"cniVersion": "1.0.0"}', CNI_COMMAND="ADD")
        self.assertEqual(1, ended.returncode)
        printed = json.loads(ended.stdout)
        self.assertEqual(("1.0.0", 4, ""), (printed["cniVersion"], printed["code"], ended.stderr))

    def test_nothing_but_the_standard_library_is_loaded(self) -> None:
        script = "print(*[n for n in sys.modules if n.startswith(('hypernetes', 'oslo', 'requests', 'yaml'))])"
        loaded = self._run(script, "", PATH=os.defpath).stdout.split()
        self.assertTrue(loaded)
        self.assertEqual([], [n for n in loaded if n != "hypernetes" and not n.startswith("hypernetes.cni")])
