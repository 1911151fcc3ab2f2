# SPDX-License-Identifier: Apache-2.0
"""Builders shared by the agent's tests: a node in a temporary directory, whose programs are noted instead of run."""

from pathlib import Path
from typing import Any
from unittest import mock

import fixtures
import testtools
from oslo_config import cfg

from hypernetes.agent import commands
from hypernetes.agent.host import layout as layouts
from hypernetes.agent.host import node as nodes
from hypernetes.agent.host import services
from hypernetes.conf import opts
from hypernetes.model import errors
from hypernetes.rpc import messages

CALLER = messages.Caller(node_id="node-id", token="secret-token")


def configuration(directory: Path, **node: Any) -> cfg.ConfigOpts:
    """Options of a node called node1 that lives below ``directory``."""
    conf = cfg.ConfigOpts()
    opts.register(conf, "agent", "node", "messaging")
    conf(args=[], default_config_files=[], default_config_dirs=[])
    for name, value in {
        "api_url": "https://api.test:9518",
        "node_id": "node-id",
        "enrollment_secret_file": str(directory / "secret"),
        "state_dir": str(directory / "state"),
        "run_dir": str(directory / "run"),
        "retry_max_interval": 0.1,
    }.items():
        conf.set_override(name, value, group="agent")
    for name, value in {"name": "node1", "address": "192.0.2.1", "dist_dir": str(directory / "dist"), **node}.items():
        conf.set_override(name, value, group="node")
    return conf


def layout(directory: Path) -> layouts.Layout:
    """A layout that touches nothing outside ``directory``."""
    return layouts.Layout(
        distribution=directory / "dist",
        state=directory / "state",
        run=directory / "run",
        logs=directory / "logs",
        programs=directory / "programs",
        kubernetes=directory / "kubernetes",
        kubelet=directory / "kubelet",
        etcd=directory / "etcd",
        pod_logs=directory / "pods",
        container_logs=directory / "containers",
        containerd=directory / "containerd",
        containerd_root=directory / "containerd-root",
        containerd_run=directory / "containerd-run",
        cni_configuration=directory / "cni",
        cni_programs=directory / "cni-bin",
        runtime=directory / "runtime.json",
        audit_logs=directory / "audit",
        hosts=directory / "hosts",
    )


class Services:
    """A service manager that keeps notes."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.states: dict[str, services.ServiceState] = {}

    def install(self, program: services.Program) -> None:
        self.calls.append(("install", program.name))
        self.states.setdefault(program.name, services.ServiceState.RUNNING)

    def restart(self, name: str) -> None:
        self.calls.append(("restart", name))

    def remove(self, name: str) -> None:
        self.calls.append(("remove", name))
        self.states.pop(name, None)

    def state(self, name: str) -> services.ServiceState:
        return self.states.get(name, services.ServiceState.UNKNOWN)


class Programs:
    """Notes what would be run; ``failures`` maps a word of the command to the failure it has."""

    def __init__(self) -> None:
        self.ran: list[list[str]] = []
        self.failures: dict[str, commands.CommandFailed] = {}

    def run(self, argv: Any, **_: Any) -> str:
        words = [str(word) for word in argv]
        self.ran.append(words)
        for word, failure in self.failures.items():
            if word in words:
                raise failure
        return ""


def node(directory: Path) -> tuple[nodes.Node, Services, Programs]:
    """A node, its service manager and its programs."""
    manager, programs = Services(), Programs()
    built = nodes.Node(
        conf=configuration(directory), layout=layout(directory), commands=mock.Mock(run=programs.run), services=manager
    )
    return built, manager, programs


class Conductor:
    """A conductor that hands out ports by sandbox; ``away`` makes it unreachable."""

    caller = CALLER

    def __init__(self) -> None:
        self.ports: dict[str, messages.PortBinding] = {}
        self.results: list[messages.PhaseResult] = []
        self.away = False
        self.refusals: list[errors.HypernetesError] = []
        self.calls: list[object] = []

    def _answer(self, message: object) -> None:
        self.calls.append(message)
        if self.away:
            raise errors.Unavailable(service="The conductor", reason="it is away")
        if self.refusals:
            raise self.refusals.pop(0)

    def allocate_port(self, message: messages.AllocatePort) -> messages.PortBinding:
        self._answer(message)
        number = len(self.ports) + 5
        return self.ports.setdefault(message.sandbox.sandbox_id, binding(number))

    def release_port(self, message: messages.ReleasePort) -> messages.Done:
        self._answer(message)
        self.ports.pop(message.sandbox_id, None)
        return messages.Done()

    def list_ports(self, message: messages.ListPorts) -> messages.PortList:
        self._answer(message)
        return messages.PortList(tuple(messages.PortEntry(k, v.port_id) for k, v in self.ports.items()))

    def phase_result(self, message: messages.PhaseResult) -> messages.Done:
        self._answer(message)
        self.results.append(message)
        return messages.Done()


def binding(number: int) -> messages.PortBinding:
    """A port whose id, MAC and address end in ``number``."""
    return messages.PortBinding(
        port_id=f"{number:08x}-31bf-4a9f-a001-e97616fe3d76",
        namespace_id="namespace-id",
        mac_address=f"fa:16:3e:00:00:{number:02x}",
        mtu=1442,
        addresses=(f"10.0.0.{number}/24",),
        routes=(messages.Route("0.0.0.0/0", "10.0.0.1"),),
        name_servers=("10.0.0.2",),
        ephemeral_storage=1 << 30,
        memory_bytes=512 << 20,
        cpus=2,
        project_id="project-id",
    )


class PhaseTest(testtools.TestCase):
    """A phase's test: a node in a temporary directory, and what was asked of its programs."""

    def setUp(self) -> None:
        super().setUp()
        self.node, self.services, self.programs = node(Path(self.useFixture(fixtures.TempDir()).path))
        self.layout = self.node.layout
