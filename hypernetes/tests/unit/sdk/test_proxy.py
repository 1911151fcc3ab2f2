# SPDX-License-Identifier: Apache-2.0
"""The SDK against the real API over HTTP."""

from typing import Any

import testtools
from openstack import exceptions

from hypernetes.model import states
from hypernetes.sdk.proxy import Proxy
from hypernetes.tests.support import database
from hypernetes.tests.support import served_api


class ProxyCase(testtools.TestCase):
    """One API with a cluster, and connections of several personas."""

    def setUp(self) -> None:
        super().setUp()
        self.api = self.useFixture(served_api.ServedApi())
        self.operator = self.api.connection("operator").kubernetes
        self.red = self.api.connection("red_member").kubernetes

    def create_cluster(self, name: str = "demo") -> Any:
        node = database.node(self.api.application.database, f"{name}-node", status=states.NodeStatus.UP)
        return self.operator.create_cluster(name=name, control_nodes=[node.id])

    def set_status(self, cluster: Any, status: states.ClusterStatus) -> None:
        self.api.application.database.clusters.observe(cluster.id, status=status)


class ResourcesTest(ProxyCase):
    """Every resource has the methods that an SDK user expects."""

    def test_a_connection_has_the_proxy(self) -> None:
        self.assertIsInstance(self.red, Proxy)

    def test_a_cluster_is_created_found_and_deleted(self) -> None:
        cluster = self.create_cluster()
        self.assertEqual("CREATING", cluster.status)
        self.assertEqual(cluster.id, self.operator.find_cluster("demo").id)
        self.assertEqual("demo", self.operator.get_cluster(cluster.id).name)
        self.operator.delete_cluster(cluster)
        self.assertEqual("DELETING", self.operator.get_cluster(cluster).status)
        self.assertEqual(["demo"], [each.name for each in self.operator.clusters()])

    def test_an_operator_sees_a_cluster_s_health(self) -> None:
        cluster = self.create_cluster()
        found = self.operator.get_cluster_health(cluster.id)
        self.assertEqual("WARNING", found.health)
        self.assertEqual("status", found.checks[0]["name"])
        self.assertEqual("WARNING", self.operator.get_cluster(cluster.id).health)
        self.assertIsNone(self.red.get_cluster(cluster.id).health)
        self.assertRaises(exceptions.ForbiddenException, self.red.get_cluster_health, cluster)

    def test_a_node_has_its_enrollment_secret_once(self) -> None:
        node = self.operator.create_node(name="node1")
        self.assertTrue(node.enrollment_secret)
        self.assertIsNone(self.operator.get_node(node.id).enrollment_secret)
        self.assertEqual(node.id, self.operator.find_node("node1").id)
        self.operator.delete_node(node.id)
        self.assertEqual(["DELETING"], [each.status for each in self.operator.nodes()])

    def test_a_node_is_disabled_and_enabled(self) -> None:
        node = self.operator.create_node(name="node1")
        self.assertIs(False, node.disabled)
        disabled = self.operator.update_node(node.id, disabled=True, disabled_reason="new memory")
        self.assertEqual((True, "new memory"), (disabled.disabled, disabled.disabled_reason))
        self.assertEqual("new memory", self.operator.get_node(node.id).disabled_reason)
        self.assertIs(False, self.operator.update_node(disabled, disabled=False).disabled)
        self.assertIsNone(self.operator.get_node(node.id).disabled_reason)

    def test_a_namespace_is_created_found_and_deleted(self) -> None:
        cluster = self.create_cluster()
        self.set_status(cluster, states.ClusterStatus.ACTIVE)
        namespace = self.red.create_namespace(name="web", cluster="demo", subnet_cidr="10.1.0.0/24")
        self.assertEqual((cluster.id, database.RED), (namespace.cluster_id, namespace.project_id))
        self.assertEqual(namespace.id, self.red.find_namespace("web", cluster_id=cluster.id).id)
        self.assertEqual("web", self.red.get_namespace(namespace.id).name)
        self.red.delete_namespace(namespace.id)
        self.assertEqual(["DELETING"], [each.status for each in self.red.namespaces()])

    def test_a_namespace_is_described_and_labeled(self) -> None:
        self.set_status(self.create_cluster(), states.ClusterStatus.ACTIVE)
        namespace = self.red.create_namespace(name="web", cluster="demo", labels={"team": "shop", "tier": "one"})
        self.red.update_namespace(namespace.id, description="The shop", labels={"tier": None, "stage": "test"})
        found = self.red.get_namespace(namespace.id)
        self.assertEqual(("The shop", {"team": "shop", "stage": "test"}), (found.description, found.labels))
        self.red.update_namespace(found, description=None)
        self.assertIsNone(self.red.get_namespace(namespace.id).description)

    def test_all_projects_is_a_bool(self) -> None:
        self.set_status(self.create_cluster(), states.ClusterStatus.ACTIVE)
        self.red.create_namespace(name="web", cluster="demo")
        self.assertEqual([], list(self.operator.namespaces()))
        self.assertEqual(["web"], [each.name for each in self.operator.namespaces(all_projects=True)])
        self.assertEqual("web", self.operator.find_namespace("web", all_projects=True).name)
        self.assertRaises(exceptions.ForbiddenException, list, self.red.namespaces(all_projects=True))

    def test_pages_are_followed_and_a_list_can_be_cut(self) -> None:
        for name in ("node1", "node2", "node3"):
            self.operator.create_node(name=name)
        self.assertEqual(3, len(list(self.operator.nodes(limit=1))))
        self.assertEqual(2, len(list(self.operator.nodes(max_items=2))))

    def test_a_retry_returns_the_cluster(self) -> None:
        cluster = self.create_cluster()
        self.assertRaises(exceptions.ConflictException, self.operator.retry_cluster, cluster.id)
        self.set_status(cluster, states.ClusterStatus.ERROR)
        self.assertEqual("CREATING", self.operator.retry_cluster(cluster.id).status)

    def test_what_is_missing_is_ignored_or_raises(self) -> None:
        self.assertIsNone(self.red.find_namespace("web"))
        self.assertRaises(exceptions.NotFoundException, self.red.find_namespace, "web", ignore_missing=False)
        missing = "11111111-1111-4111-8111-111111111111"
        self.red.delete_namespace(missing)
        self.assertRaises(exceptions.NotFoundException, self.red.delete_namespace, missing, ignore_missing=False)


class WaitTest(ProxyCase):
    """Waiting for a status or for absence."""

    def test_waiting_ends_at_the_status_or_with_a_failure(self) -> None:
        cluster = self.create_cluster()
        self.assertEqual("CREATING", self.operator.wait_for_status(cluster, "CREATING").status)
        self.set_status(cluster, states.ClusterStatus.ERROR)
        self.assertRaises(exceptions.ResourceFailure, self.operator.wait_for_status, cluster, interval=0.01)

    def test_waiting_for_deletion_ends_when_it_is_gone_or_time_is_up(self) -> None:
        node = self.operator.create_node(name="node1")
        self.assertRaises(exceptions.ResourceTimeout, self.operator.wait_for_delete, node, interval=0.01, wait=0.05)
        self.api.application.database.nodes.delete(node.id)
        self.operator.wait_for_delete(node, interval=0.01)


class IdentifierTest(ProxyCase):
    """No identifier can lead to another path."""

    IMPOSSIBLE = ("..", ".", "", "a b", "UPPER", "a/b", "../nodes", "?limit=1", "a?b", "a#b", "%2e%2e", "é", "x" * 300)

    def test_a_name_that_nothing_can_have_is_not_found(self) -> None:
        for persona, kinds in (("red_member", ("namespace",)), ("operator", ("cluster", "node", "namespace"))):
            proxy = self.api.connection(persona).kubernetes
            for kind in kinds:
                for name in self.IMPOSSIBLE:
                    find = getattr(proxy, f"find_{kind}")
                    error = self.assertRaises(exceptions.NotFoundException, find, name, ignore_missing=False)
                    self.assertEqual(f"No {kind.capitalize()} found for {name}", str(error))
                    self.assertIsNone(find(name))

    def test_an_identifier_stays_one_segment_of_the_path(self) -> None:
        self.create_cluster()
        for act in (
            self.red.get_namespace,
            self.operator.get_cluster,
            self.operator.get_node,
            self.operator.get_cluster_health,
        ):
            for identifier in self.IMPOSSIBLE:
                self.assertRaises(exceptions.NotFoundException, act, identifier)
        for identifier in self.IMPOSSIBLE:
            self.assertRaises(exceptions.NotFoundException, self.operator.update_node, identifier, disabled=True)
        for act in (self.red.delete_namespace, self.operator.delete_cluster, self.operator.delete_node):
            for identifier in self.IMPOSSIBLE:
                self.assertRaises(exceptions.NotFoundException, act, identifier, ignore_missing=False)
        for identifier in self.IMPOSSIBLE:
            self.assertRaises(exceptions.NotFoundException, self.operator.retry_cluster, identifier)
        sent = {path.partition("?")[0].count("/") for _, path in self.api.requests}
        self.assertLessEqual(max(sent), 4, self.api.requests)
        self.assertEqual(set(), {path for _, path in self.api.requests if "/../" in path or path.endswith("/..")})

    def test_another_wrong_filter_is_reported(self) -> None:
        find = lambda: self.red.find_namespace("web", cluster_id="nonsense")  # noqa: E731
        self.assertRaises(exceptions.BadRequestException, find)

    def test_a_uuid_is_sent_as_it_is(self) -> None:
        cluster = self.create_cluster()
        self.operator.get_cluster(cluster.id)
        self.assertEqual(("GET", f"/v1/clusters/{cluster.id}"), self.api.requests[-1])


class VendorHookTest(testtools.TestCase):
    """clouds.yaml can register the service for every program that uses openstacksdk."""

    def test_the_hook_adds_the_proxy(self) -> None:
        api = self.useFixture(served_api.ServedApi())
        connection = api.connection("operator", vendor_hook="hypernetes.sdk.service:register")
        self.assertEqual([], list(connection.kubernetes.clusters()))
