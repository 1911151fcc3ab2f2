# SPDX-License-Identifier: Apache-2.0
"""Commands on clusters, nodes and namespaces."""

import importlib.metadata
import io
from contextlib import redirect_stderr
from types import SimpleNamespace
from typing import Any
from unittest import mock

import testtools
from openstack import exceptions as sdk
from osc_lib import exceptions

from hypernetes.osc import cluster
from hypernetes.osc import errors
from hypernetes.osc import namespace
from hypernetes.osc import node
from hypernetes.osc import waiting
from hypernetes.sdk import proxy
from hypernetes.tests.support.fakes import openstack_cli as cloud


class CommandsTest(testtools.TestCase):
    """What each verb asks of the service."""

    def setUp(self) -> None:
        super().setUp()
        self.service = cloud.Service(cloud.cluster(), proxy.Node(id="n1", name="node1", status="UP"))
        self.app = cloud.App(self.service)
        for target in (mock.patch("time.sleep"), redirect_stderr(io.StringIO())):
            target.__enter__()
            self.addCleanup(target.__exit__, None, None, None)

    def test_a_cluster_is_asked_for_with_its_nodes(self) -> None:
        made = cloud.record(cloud.run(cluster.CreateCluster, self.app, "two", "--control-node", "node1"))
        self.assertEqual("CREATING", made["status"])
        self.assertEqual([("create", proxy.Cluster, {"name": "two", "control_nodes": ["node1"]})], self.service.calls)

    def test_waiting_ends_with_the_cluster_active(self) -> None:
        self.service.states = ["CREATING", "CREATING", "ACTIVE"]
        made = cloud.run(cluster.CreateCluster, self.app, "two", "--control-node", "node1", "--wait")
        self.assertEqual("ACTIVE", cloud.record(made)["status"])

    def test_a_failed_cluster_fails_the_command(self) -> None:
        self.service.states = ["ERROR"]
        words = ("demo", "--wait")
        self.assertRaises(exceptions.CommandError, cloud.run, cluster.RetryCluster, self.app, *words)
        self.assertEqual([("retry", cloud.CLUSTER_ID)], self.service.calls)

    def test_names_and_ids_are_taken_alike(self) -> None:
        for word in ("demo", cloud.CLUSTER_ID):
            self.assertEqual("demo", cloud.record(cloud.run(cluster.ShowCluster, self.app, word))["name"])

    def test_deleting_with_wait_ends_when_it_is_gone(self) -> None:
        self.service.states = ["DELETING", None]
        cloud.run(cluster.DeleteCluster, self.app, "demo", "--wait")
        self.assertEqual([("remove", proxy.Cluster, cloud.CLUSTER_ID)], self.service.calls)

    def test_what_is_not_there_is_an_error_of_the_command(self) -> None:
        self.assertRaises(exceptions.CommandError, cloud.run, node.ShowNode, self.app, "nothing")

    def test_lists_have_a_row_each(self) -> None:
        columns, rows = cloud.run(cluster.ListCluster, self.app)
        self.assertEqual(("id", 1), (columns[0], len(rows)))
        self.assertEqual("node1", cloud.run(node.ListNode, self.app)[1][0][1])

    def test_a_node_s_secret_is_shown_when_it_is_made(self) -> None:
        made = cloud.record(cloud.run(node.CreateNode, self.app, "node2"))
        self.assertIn("enrollment_secret", made)
        self.assertNotIn("enrollment_secret", cloud.record(cloud.run(node.ShowNode, self.app, "node2")))

    def test_a_namespace_goes_to_the_only_cluster(self) -> None:
        cloud.run(namespace.CreateNamespace, self.app, "web", "--subnet-cidr", "10.1.0.0/24")
        wished = {"name": "web", "cluster": cloud.CLUSTER_ID, "subnet_cidr": "10.1.0.0/24"}
        self.assertEqual([("create", proxy.Namespace, wished)], self.service.calls)

    def test_which_cluster_must_be_said_if_there_are_two(self) -> None:
        self.service.items.append(cloud.cluster(id="c2", name="other"))
        error = self.assertRaises(exceptions.CommandError, cloud.run, namespace.CreateNamespace, self.app, "web")
        self.assertIn("demo, other", str(error))

    def test_a_network_may_be_named(self) -> None:
        cloud.run(namespace.CreateNamespace, self.app, "web", "--network", "mine")
        self.assertEqual("id-of-mine", self.service.calls[0][2]["network_id"])

    def test_an_administrator_lists_every_project_s(self) -> None:
        columns, _ = cloud.run(namespace.ListNamespace, self.app, "--all-projects", "--cluster", "demo")
        self.assertIn("project_id", columns)
        self.assertEqual([("namespaces", {"all_projects": "true", "cluster_id": cloud.CLUSTER_ID})], self.service.calls)


class EntryPointsTest(testtools.TestCase):
    """What ``openstack`` finds."""

    COMMANDS = {
        f"kube_{noun}_{verb}"
        for noun, more in (("cluster", ("retry",)), ("node", ()), ("namespace", ()))
        for verb in ("create", "list", "show", "delete", *more)
    } | {"kube_config"}

    def test_every_command_is_found_and_has_an_example(self) -> None:
        found = {point.name: point for point in importlib.metadata.entry_points(group="openstack.kube.v1")}
        self.assertEqual(self.COMMANDS, set(found))
        for name, point in found.items():
            self.assertIn("Example", point.load().__doc__, name)


class WaitingTest(testtools.TestCase):
    """Until it is so, or cannot be."""

    def setUp(self) -> None:
        super().setUp()
        self.time = 0.0
        self.progress = io.StringIO()
        shown = redirect_stderr(self.progress)
        shown.__enter__()
        self.addCleanup(shown.__exit__, None, None, None)

    def _until(self, wanted: str | None, *states: Any, seconds: float = 100.0) -> Any:
        items = iter(states)

        def read() -> Any:
            item = next(items)
            if isinstance(item, Exception):
                raise item
            return item

        def sleep(pause: float) -> None:
            self.time += pause

        return waiting.until("it", read, wanted, seconds, sleep=sleep, clock=lambda: self.time)

    def _item(self, status: str, reason: str | None = None, phase: str | None = None) -> Any:
        return SimpleNamespace(status=status, status_reason=reason, phase=phase)

    def test_each_change_is_shown_once(self) -> None:
        slow = self._item("CREATING", phase="certs")
        self._until("ACTIVE", slow, slow, self._item("CREATING", phase="etcd"), self._item("ACTIVE"))
        self.assertEqual(
            ["it: CREATING: certs (0 s)", "it: CREATING: etcd (4 s)", "it: ACTIVE (6 s)"],
            self.progress.getvalue().splitlines(),
        )

    def test_a_long_quiet_is_broken(self) -> None:
        slow = [self._item("CREATING")] * 21
        self._until("ACTIVE", *slow, self._item("ACTIVE"))
        told = ["it: CREATING (0 s)", "it: CREATING (20 s)", "it: CREATING (40 s)", "it: ACTIVE (42 s)"]
        self.assertEqual(told, self.progress.getvalue().splitlines())

    def test_an_interruption_says_that_it_goes_on(self) -> None:
        def interrupt(_pause: float) -> None:
            raise KeyboardInterrupt

        slow = self._item("CREATING")
        act = lambda: waiting.until("it", lambda: slow, "ACTIVE", 100.0, sleep=interrupt)  # noqa: E731
        error = self.assertRaises(exceptions.CommandError, act)
        self.assertIn("goes on by itself", str(error))

    def test_a_failure_says_why(self) -> None:
        failed = self._item("ERROR", "phase etcd failed; do this")
        error = self.assertRaises(exceptions.CommandError, self._until, "ACTIVE", failed)
        self.assertIn("do this", str(error))

    def test_time_runs_out(self) -> None:
        slow = [self._item("CREATING")] * 5
        error = self.assertRaises(exceptions.CommandError, self._until, "ACTIVE", *slow, seconds=5.0)
        self.assertIn("after 5 s", str(error))

    def test_gone_is_the_end_of_a_deletion_and_an_error_otherwise(self) -> None:
        gone = sdk.NotFoundException("gone")
        self.assertIsNone(self._until(None, self._item("DELETING"), gone))
        self.assertIn("it: gone (2 s)", self.progress.getvalue())
        self.assertRaises(exceptions.CommandError, self._until, "ACTIVE", gone)


class ErrorsTest(testtools.TestCase):
    """The API's own words."""

    def _explained(self, error: Exception) -> str:
        def fail() -> None:
            with errors.explained():
                raise error

        return str(self.assertRaises(exceptions.CommandError, fail))

    def test_cause_and_remedy_are_passed_on(self) -> None:
        body = {"errors": [{"title": "Conflict", "detail": "The name web is taken. Choose another."}]}
        response = mock.Mock(status_code=409, headers={}, json=lambda: body)
        said = self._explained(sdk.ConflictException(message="409", response=response))
        self.assertEqual("The name web is taken. Choose another.", said)

    def test_another_answer_is_shown_as_the_sdk_does(self) -> None:
        response = mock.Mock(status_code=502, headers={}, json=list)
        self.assertIn("Bad gateway", self._explained(sdk.HttpException(message="Bad gateway", response=response)))
