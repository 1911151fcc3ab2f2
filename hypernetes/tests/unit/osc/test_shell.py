# SPDX-License-Identifier: Apache-2.0
"""Every command as a user runs it: the ``openstack`` program, in this process, on the real API over HTTP."""

import contextlib
import io
import json
import logging
import tomllib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import fixtures
import testtools
from openstackclient import shell
from osc_lib import clientmanager

from hypernetes.model import states
from hypernetes.tests.support import database
from hypernetes.tests.support import served_api

REPOSITORY = Path(__file__).parents[4]
ENTRY_POINTS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["entry-points"]
COMMANDS = tuple(name.replace("_", " ") for name in ENTRY_POINTS["openstack.kube.v1"])


@dataclass(frozen=True, slots=True)
class Run:
    """How a command ended."""

    status: int
    output: str
    error: str


@dataclass(frozen=True, slots=True)
class Row:
    """How a command is run so that it succeeds, and what it is given instead for what does not exist.

    ``wrong`` are the words of a run that must fail, and ``message`` is what it says; None where nothing can be wrong.
    """

    right: str
    wrong: str | None = None
    message: str | None = None
    persona: str = "operator"
    prints: bool = True


NO = {noun: f"No {noun} found for" for noun in ("Cluster", "Node", "Namespace")}
TABLE = {
    "kube cluster create": Row("two --control-node node2", "two --control-node none", "there is no node none"),
    "kube cluster list": Row("", "--marker 00000000-0000-4000-8000-000000000000", "is not the ID of"),
    "kube cluster show": Row("demo", "UPPER", f"{NO['Cluster']} UPPER"),
    "kube cluster health": Row("demo", "UPPER", f"{NO['Cluster']} UPPER"),
    "kube cluster retry": Row("broken", "a/b", f"{NO['Cluster']} a/b"),
    "kube cluster delete": Row("broken", "none", f"{NO['Cluster']} none", prints=False),
    "kube cluster node add": Row("demo node5", "demo none", f"{NO['Node']} none"),
    "kube cluster node list": Row("demo", "none", f"{NO['Cluster']} none"),
    "kube cluster node remove": Row("demo worker1", "demo none", f"{NO['Node']} none", prints=False),
    "kube node create": Row("node3", "UPPER", "lower-case"),
    "kube node list": Row("--long", "--marker 00000000-0000-4000-8000-000000000000", "is not the ID of"),
    "kube node show": Row("node1", "UPPER", f"{NO['Node']} UPPER"),
    "kube node set": Row("node1 --disable", "UPPER --enable", f"{NO['Node']} UPPER", prints=False),
    "kube node delete": Row("node4", "..", f"{NO['Node']} ..", prints=False),
    "kube namespace create": Row("api --cluster demo", "api --cluster none", "there is no cluster none", "red_member"),
    "kube namespace list": Row("--cluster demo", "--cluster UPPER", f"{NO['Cluster']} UPPER", "red_member"),
    "kube namespace show": Row("web", "under_score", f"{NO['Namespace']} under_score", "red_member"),
    "kube namespace set": Row(
        "web --description shop --label team=shop", "UPPER --label a=b", f"{NO['Namespace']} UPPER", "red_member", False
    ),
    "kube namespace unset": Row("web --label team", "UPPER --label a", f"{NO['Namespace']} UPPER", "red_member", False),
    "kube namespace delete": Row("web", "UPPER", f"{NO['Namespace']} UPPER", "red_member", prints=False),
    "kube config": Row(
        "demo --auth environment --file -", "UPPER", f"{NO['Cluster']} UPPER", "red_member", prints=False
    ),
}


class ShellTest(testtools.TestCase):
    """One API with what the rows name."""

    def setUp(self) -> None:
        super().setUp()
        self.keep_logging()
        self.api = self.useFixture(served_api.ServedApi())
        self.useFixture(fixtures.NestedTempfile())
        for name in ("OS_CLOUD", "OS_CLIENT_CONFIG_FILE"):
            self.useFixture(fixtures.EnvironmentVariable(name))
        store = self.api.application.database
        for name in ("node1", "node2", "node4", "node5"):
            database.node(store, name, status=states.NodeStatus.UP)
        operator = self.api.connection("operator").kubernetes
        for name, status in (("demo", states.ClusterStatus.ACTIVE), ("broken", states.ClusterStatus.ERROR)):
            node = database.node(store, f"{name}-node", status=states.NodeStatus.UP)
            cluster = operator.create_cluster(name=name, control_nodes=[node.id])
            store.clusters.observe(
                cluster.id, status=status, api_address="https://198.51.100.11:6443", ca_certificate="PEM"
            )
        worker = database.node(store, "worker1", status=states.NodeStatus.UP)
        operator.add_cluster_node(operator.find_cluster("demo").id, worker.id)
        self.api.connection("red_member").kubernetes.create_namespace(name="web", cluster="demo")

    def keep_logging(self) -> None:
        """Undo at the end what the program does to the logging of its process."""
        root = logging.getLogger()
        loggers = [root, *(logging.getLogger(name) for name in root.manager.loggerDict)]
        for logger in loggers:
            self.addCleanup(logger.setLevel, logger.level)
        self.addCleanup(setattr, root, "handlers", list(root.handlers))

    def run_command(self, persona: str, *words: str) -> Run:
        output, error = io.StringIO(), io.StringIO()
        # osc_lib keeps a client in the class, since a process usually runs one command.
        for cached in vars(clientmanager.ClientManager).values():
            if isinstance(cached, clientmanager.ClientCache):
                cached._handle = None
        endpoint = f"{self.api.url}/v1"
        access = ["--os-auth-type", "admin_token", "--os-endpoint", endpoint, "--os-token", persona]
        with (
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(error),
            warnings.catch_warnings(),
        ):
            try:
                status = shell.OpenStackShell().run([*access, *words])
            except SystemExit as ended:
                status = int(ended.code or 0)
        return Run(status, output.getvalue(), error.getvalue())

    def rows(self) -> Iterator[tuple[str, Row]]:
        for command in COMMANDS:
            yield command, TABLE[command]

    def test_every_command_has_a_row(self) -> None:
        self.assertEqual(sorted(COMMANDS), sorted(TABLE))

    def test_every_command_has_help_with_an_example(self) -> None:
        for command, _row in self.rows():
            ended = self.run_command("operator", *command.split(), "--help")
            self.assertEqual(0, ended.status, command)
            self.assertIn("Example", ended.output, command)
            self.assertIn(f"  openstack {command} ", f"{ended.output} ".replace("\n", " \n"), command)

    def test_every_command_works_as_a_table_and_as_json(self) -> None:
        for command, row in self.rows():
            if not row.prints:
                continue
            ended = self.run_command(row.persona, *command.split(), *row.right.split())
            self.assertEqual((0, ""), (ended.status, ended.error), command)
            self.assertRegex(ended.output, r"^\+-+\+", command)
            if command.endswith(("create", "retry")):
                continue
            ended = self.run_command(row.persona, *command.split(), *row.right.split(), "-f", "json")
            self.assertTrue(json.loads(ended.output), command)

    def test_commands_without_a_table_print_nothing_else(self) -> None:
        for command, row in self.rows():
            if not row.prints:
                ended = self.run_command(row.persona, *command.split(), *row.right.split())
                self.assertEqual((0, ""), (ended.status, ended.error), command)

    def test_what_does_not_exist_is_one_line_and_status_1(self) -> None:
        for command, row in self.rows():
            if row.wrong is None:
                continue
            ended = self.run_command(row.persona, *command.split(), *row.wrong.split())
            self.assertEqual((1, ""), (ended.status, ended.output), command)
            self.assertIn(row.message, ended.error, command)
            self.assertNotIn("Traceback", ended.error, command)

    def test_completion_knows_every_command(self) -> None:
        ended = self.run_command("operator", "complete")
        for command in COMMANDS:
            *parents, last = command.split()
            variable = f"cmds_{'_'.join(parents)}"
            line = next(one for one in ended.output.splitlines() if one.strip().startswith(f"{variable}="))
            self.assertIn(last, line, command)
