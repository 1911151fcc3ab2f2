# SPDX-License-Identifier: Apache-2.0
"""What a conductor finds of a cluster."""

from typing import Any
from unittest import mock

import testtools
from lightkube.models import core_v1 as core_models
from lightkube.models import meta_v1 as meta
from lightkube.resources import core_v1 as core

from hypernetes.conductor.clusters import health
from hypernetes.conductor.rpc import for_api
from hypernetes.model import errors
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.rpc import messages
from hypernetes.tests.support import conductor_fixture
from hypernetes.tests.support import database as builders

UNAVAILABLE = errors.Unavailable(service="The cluster's apiserver", reason="ConnectTimeout")


def kubernetes_node(name: str, status: str = "True", *, cordoned: bool = False) -> Any:
    condition = core_models.NodeCondition(type="Ready", status=status)
    return core.Node(
        metadata=meta.ObjectMeta(name=name),
        spec=core_models.NodeSpec(unschedulable=cordoned or None),
        status=core_models.NodeStatus(conditions=[condition]),
    )


class HealthTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.fixture = self.useFixture(conductor_fixture.ConductorFixture())
        self.apiserver = self.fixture.apiserver.apiserver
        node = builders.node(self.fixture.database)
        self.cluster = builders.cluster(self.fixture.database, nodes=(node.id,))
        self.apiserver.create(kubernetes_node("node1"))

    def found(self) -> dict[str, records.Check]:
        return {one.name: one for one in health.check(self.fixture.dependencies, self.cluster)}

    def healths(self) -> dict[str, str]:
        return {name: one.health.value for name, one in self.found().items()}

    def test_a_cluster_that_works_is_ok(self) -> None:
        self.assertEqual({"conductors": "OK", "apiserver": "OK", "etcd": "OK", "nodes": "OK"}, self.healths())
        self.assertEqual("2 running.", self.found()["conductors"].detail)
        self.assertEqual("1 of 1 are Ready.", self.found()["nodes"].detail)

    def test_an_apiserver_that_is_not_ready_leaves_the_rest_unknown(self) -> None:
        self.apiserver.ready = False
        self.assertEqual(
            {"conductors": "OK", "apiserver": "ERROR", "etcd": "UNKNOWN", "nodes": "UNKNOWN"}, self.healths()
        )

    def test_a_cluster_without_an_apiserver_is_a_result(self) -> None:
        absent = errors.Conflict(kind="cluster", id=self.cluster.id, reason="its apiserver is not set up yet")
        with mock.patch.object(self.fixture.apiserver, "for_cluster", side_effect=absent):
            self.assertIn("is not set up yet", self.found()["apiserver"].detail)

    def test_what_does_not_answer_is_unknown_and_hides_nothing_else(self) -> None:
        for part, method in (("etcd", "read_text"), ("nodes", "list")):
            with mock.patch.object(self.apiserver, method, side_effect=UNAVAILABLE):
                found = self.healths()
            self.assertEqual("UNKNOWN", found.pop(part))
            self.assertEqual({"OK"}, set(found.values()))
        with mock.patch.object(self.fixture.broker, "count_conductors", side_effect=UNAVAILABLE):
            self.assertEqual("WARNING", self.healths()["conductors"])

    def test_etcd_is_judged_by_its_quota(self) -> None:
        quota = self.fixture.conf.kubernetes.etcd_quota
        for size, expected in ((quota // 2, "OK"), (quota * 4 // 5, "WARNING"), (quota * 2, "ERROR")):
            self.apiserver.database_bytes = size
            self.assertEqual(expected, self.healths()["etcd"])
        with mock.patch.object(self.apiserver, "read_text", return_value=""):
            self.assertEqual("UNKNOWN", self.healths()["etcd"])

    def test_nodes_are_judged_by_the_ready_ones(self) -> None:
        two = ("node1", "node2")
        for found, expected, detail in (
            ([kubernetes_node("node1"), kubernetes_node("node2")], "OK", "2 of 2 are Ready."),
            ([kubernetes_node("node1")], "WARNING", "1 of 2 are Ready. Not Ready: node2."),
            ([kubernetes_node("node1", "Unknown")], "ERROR", "0 of 2 are Ready. Not Ready: node1, node2."),
            (
                [kubernetes_node("node1"), kubernetes_node("node2", cordoned=True), kubernetes_node("foreign")],
                "OK",
                "2 of 2 are Ready. Cordoned: node2.",
            ),
        ):
            check = health.check_nodes(two, found)
            self.assertEqual((expected, detail), (check.health.value, check.detail))

    def test_the_api_is_answered_with_the_same(self) -> None:
        endpoint = for_api.ApiEndpoint(self.fixture.dependencies)
        answer = endpoint.check_cluster(messages.CheckCluster(self.cluster.id))
        self.assertEqual(self.healths(), {one.name: one.health.value for one in answer.checks})
        self.assertIs(states.Health.OK, answer.checks[0].health)
