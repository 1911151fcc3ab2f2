# SPDX-License-Identifier: Apache-2.0
"""GET /v1/clusters/{id}/health, and the short form of it in a cluster."""

import datetime
from typing import Any

import testtools

from hypernetes.api.v1 import cluster_health
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.rpc import messages
from hypernetes.tests.support import application
from hypernetes.tests.support import database as builders

NOW = datetime.datetime(2026, 11, 28, 12, tzinfo=datetime.UTC)


class HealthTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.api = self.useFixture(application.Application())
        self.node = builders.node(self.api.database, status=states.NodeStatus.UP)
        self.cluster = builders.cluster(self.api.database, nodes=(self.node.id,))
        self.api.conductor.checks = (messages.CheckResult("apiserver", states.Health.OK, "It is ready."),)

    def checks(self) -> tuple[str, dict[str, Any]]:
        body = self.api.request("GET", f"/v1/clusters/{self.cluster.id}/health", "operator").json
        return body["health"], {check["name"]: check for check in body["checks"]}

    def short(self, persona: str = "operator") -> Any:
        return self.api.request("GET", f"/v1/clusters/{self.cluster.id}", persona).json.get("health")

    def test_a_cluster_that_works_is_ok(self) -> None:
        namespace = builders.namespace(self.api.database, self.cluster.id)
        builders.port(self.api.database, namespace.id, self.node.id)
        health, checks = self.checks()
        self.assertEqual("OK", health, str(checks))
        self.assertEqual(["status", "agents", "namespaces", "ports", "apiserver"], list(checks))
        self.assertEqual("1 CREATING.", checks["ports"]["detail"])
        self.assertEqual("OK", self.short())

    def test_only_operators_see_it(self) -> None:
        self.assertIsNone(self.short("red_manager"))

    def test_the_worst_is_the_cluster_s(self) -> None:
        warning = messages.CheckResult("etcd", states.Health.WARNING, "It is full.")
        self.api.conductor.checks = (*self.api.conductor.checks, warning)
        self.assertEqual("WARNING", self.checks()[0])

    def test_without_conductors_the_database_still_answers(self) -> None:
        self.api.conductor.broken = True
        health, checks = self.checks()
        self.assertEqual("ERROR", health)
        self.assertIn("no receiver is listening", checks["conductors"]["detail"])
        found = {name: check["health"] for name, check in checks.items()}
        self.assertEqual(
            {"status": "OK", "agents": "OK", "namespaces": "OK", "ports": "OK", "conductors": "ERROR"}
            | dict.fromkeys(("apiserver", "etcd", "nodes"), "UNKNOWN"),
            found,
        )

    def test_a_failed_namespace_is_named(self) -> None:
        namespace = builders.namespace(self.api.database, self.cluster.id)
        self.api.database.namespaces.observe(namespace.id, status=states.NamespaceStatus.ERROR)
        foreign = builders.cluster(self.api.database, "other")
        builders.namespace(self.api.database, foreign.id, "elsewhere")
        _, checks = self.checks()
        self.assertEqual("1 ERROR. In ERROR: web.", checks["namespaces"]["detail"])
        self.assertEqual("WARNING", self.short())

    def test_a_reason_of_the_cluster_is_a_warning(self) -> None:
        self.api.database.clusters.observe(self.cluster.id, status_reason="etcd is filling up.")
        self.assertEqual("ACTIVE: etcd is filling up.", self.checks()[1]["status"]["detail"])
        self.api.database.clusters.observe(self.cluster.id, status=states.ClusterStatus.ERROR)
        self.assertEqual("ERROR", self.short())


class AgentsTest(testtools.TestCase):
    def node(self, name: str, seconds: float | None, **fields: Any) -> records.Node:
        seen = None if seconds is None else NOW - datetime.timedelta(seconds=seconds)
        values = {"status": states.NodeStatus.UP, **fields}
        return records.Node(id=name, name=name, last_seen_at=seen, **values)  # type: ignore[arg-type]

    def check(self, *nodes: records.Node) -> tuple[str, str]:
        found = cluster_health.check_agents(nodes, NOW)
        return found.health.value, found.detail

    def test_the_oldest_heartbeat_is_named(self) -> None:
        found = self.check(self.node("node1", 3), self.node("node2", 9), self.node("node3", None))
        self.assertEqual(("OK", "3 of 3 nodes are UP. Oldest heartbeat: node2, 9 s ago."), found)

    def test_silent_disabled_and_troubled_nodes_are_named(self) -> None:
        down = states.NodeStatus.DOWN
        health, detail = self.check(
            self.node("node1", 3, disabled=True),
            self.node("node2", 90, status=down),
            self.node("node3", 1, status_reason="kubelet has failed."),
        )
        self.assertEqual("WARNING", health)
        for part in ("2 of 3", "Not UP: node2.", "Disabled: node1.", "node3: kubelet has failed."):
            self.assertIn(part, detail)
        self.assertEqual("ERROR", self.check(self.node("node1", 90, status=down))[0])
        many = [self.node(f"node{number}", 90, status=down) for number in range(9)]
        self.assertIn("node0, node1, node2 and 6 more", self.check(*many)[1])
