# SPDX-License-Identifier: Apache-2.0
"""Commands on clusters, nodes and namespaces."""

import importlib.metadata
import io
from contextlib import redirect_stderr
from types import SimpleNamespace
from unittest import mock

import testtools
from openstack import exceptions as sdk
from osc_lib import exceptions
from osc_lib.command import command

from hypernetes.osc import cluster
from hypernetes.osc import cluster_node
from hypernetes.osc import namespace
from hypernetes.osc import node
from hypernetes.sdk.cluster import Cluster
from hypernetes.sdk.namespace import Namespace
from hypernetes.sdk.node import Node
from hypernetes.tests.support import served_api
from hypernetes.tests.support.fakes import openstack_cli as cloud


class CommandsTest(testtools.TestCase):
    """What each verb asks of the service."""

    def setUp(self) -> None:
        super().setUp()
        self.service = cloud.Service(cloud.cluster(), Node(id="n1", name="node1", status="UP"))
        self.app = cloud.App(self.service)
        for target in (mock.patch("time.sleep"), redirect_stderr(io.StringIO())):
            target.__enter__()
            self.addCleanup(target.__exit__, None, None, None)

    def test_a_cluster_is_asked_for_with_its_nodes(self) -> None:
        made = cloud.record(cloud.run(cluster.CreateCluster, self.app, "two", "--control-node", "node1"))
        self.assertEqual("CREATING", made["status"])
        self.assertEqual([("create", Cluster, {"name": "two", "control_nodes": ["node1"]})], self.service.calls)

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

    def test_health_has_a_row_for_each_check_and_for_neutron_s_agents(self) -> None:
        self.service.items.append(Node(id="n2", name="node2", cluster_id=cloud.CLUSTER_ID))
        agent = SimpleNamespace(agent_type="OVN Controller agent", host="node2", is_alive=True)
        elsewhere = SimpleNamespace(agent_type="OVN Controller agent", host="compute1", is_alive=False)
        self.app.connection.agents = [agent, elsewhere]
        headers, rows = cloud.run(cluster.ClusterHealth, self.app, "demo")
        self.assertEqual(("Name", "Health", "Detail"), headers)
        self.assertEqual([("apiserver", "OK"), ("etcd", "WARNING"), ("neutron-agents", "OK")], [r[:2] for r in rows])
        agent.is_alive = False
        _, rows = cloud.run(cluster.ClusterHealth, self.app, "demo")
        self.assertEqual(
            ("neutron-agents", "ERROR", "0 of 1 are alive. Dead: OVN Controller agent on node2."), rows[-1]
        )
        self.app.connection.agents = []
        self.assertIn("Nodes without any: node2.", cloud.run(cluster.ClusterHealth, self.app, "demo")[1][-1][2])

    def test_health_without_neutron_is_not_lost(self) -> None:
        refused = mock.Mock(side_effect=sdk.ForbiddenException("no"))
        self.app.connection.network.agents = refused
        rows = cloud.run(cluster.ClusterHealth, self.app, "demo")[1]
        self.assertEqual(("neutron-agents", "UNKNOWN"), rows[-1][:2])
        self.assertEqual(3, len(rows))

    def test_deleting_with_wait_ends_when_it_is_gone(self) -> None:
        self.service.states = ["DELETING", None]
        cloud.run(cluster.DeleteCluster, self.app, "demo", "--wait")
        self.assertEqual([("delete", Cluster, cloud.CLUSTER_ID)], self.service.calls)

    def test_a_lost_cluster_is_deleted_by_force(self) -> None:
        cloud.run(cluster.DeleteCluster, self.app, "demo", "--force")
        self.assertEqual([("force_delete", cloud.CLUSTER_ID)], self.service.calls)

    def test_a_worker_is_added_and_waited_for(self) -> None:
        self.service.memberships = ["PREPARING", "JOINING", "MEMBER"]
        made = cloud.record(cloud.run(cluster_node.AddClusterNode, self.app, "demo", "node1", "--wait"))
        self.assertEqual([("add", cloud.CLUSTER_ID, "n1")], self.service.calls)
        self.assertEqual("node1", made["name"])
        self.assertEqual([], self.service.memberships)

    def test_a_worker_is_removed_and_waited_for(self) -> None:
        self.service.memberships = ["DRAINING", None]
        cloud.run(cluster_node.RemoveClusterNode, self.app, "demo", "node1", "--wait", "--force")
        self.assertEqual([("remove", cloud.CLUSTER_ID, "n1", True)], self.service.calls)
        self.assertEqual([], self.service.memberships)

    def test_the_nodes_of_a_cluster_are_listed_with_their_roles(self) -> None:
        self.service.items = [
            cloud.cluster(control_node_ids=["n1"]),
            Node(id="n1", name="node1", status="UP"),
            Node(id="n2", name="node2", status="UP", membership="MEMBER"),
        ]
        headers, rows = cloud.run(cluster_node.ListClusterNode, self.app, "demo")
        self.assertEqual(("ID", "Name", "Role", "Status", "Membership"), headers[:5])
        self.assertEqual([("n1", "node1", "control"), ("n2", "node2", "worker")], [row[:3] for row in rows])
        self.assertEqual([("nodes", {"cluster_id": cloud.CLUSTER_ID})], self.service.calls)

    def test_what_is_not_there_is_an_error_of_the_command(self) -> None:
        self.assertRaises(exceptions.CommandError, cloud.run, node.ShowNode, self.app, "nothing")

    def test_lists_have_a_row_each(self) -> None:
        headers, rows = cloud.run(cluster.ListCluster, self.app)
        self.assertEqual(("ID", "Name", "Status", "Kubernetes Version", "API Address"), headers)
        self.assertEqual(1, len(rows))
        self.assertEqual("node1", cloud.run(node.ListNode, self.app)[1][0][1])

    def test_a_node_s_secret_is_shown_when_it_is_made(self) -> None:
        made = cloud.record(cloud.run(node.CreateNode, self.app, "node2"))
        self.assertIn("enrollment_secret", made)
        self.assertNotIn("enrollment_secret", cloud.record(cloud.run(node.ShowNode, self.app, "node2")))

    def test_a_node_is_disabled_with_a_reason_and_enabled_without(self) -> None:
        identifier = self.service.items[1].id
        for words, attributes in (
            (("--disable", "--reason", "new memory"), {"disabled": True, "disabled_reason": "new memory"}),
            (("--disable",), {"disabled": True}),
            (("--enable",), {"disabled": False}),
        ):
            self.assertIsNone(cloud.run(node.SetNode, self.app, "node1", *words))
            self.assertEqual(("update", Node, identifier, attributes), self.service.calls[-1])

    def test_a_reason_is_for_disabling_only(self) -> None:
        words = ("node1", "--enable", "--reason", "new memory")
        error = self.assertRaises(exceptions.CommandError, cloud.run, node.SetNode, self.app, *words)
        self.assertIn("--reason", str(error))
        self.assertEqual([], self.service.calls)

    def test_a_namespace_goes_to_the_only_cluster(self) -> None:
        cloud.run(namespace.CreateNamespace, self.app, "web", "--subnet-cidr", "10.1.0.0/24")
        wished = {"name": "web", "cluster": cloud.CLUSTER_ID, "subnet_cidr": "10.1.0.0/24"}
        self.assertEqual(("create", Namespace, wished), self.service.calls[-1])

    def test_which_cluster_must_be_said_if_there_are_two(self) -> None:
        self.service.items.append(cloud.cluster(id="c2", name="other"))
        error = self.assertRaises(exceptions.CommandError, cloud.run, namespace.CreateNamespace, self.app, "web")
        self.assertEqual("more than one cluster exists; choose one with --cluster: demo, other", str(error))

    def test_a_cluster_that_is_not_active_is_no_choice(self) -> None:
        self.service.items += [cloud.cluster(id=s, name=s.lower(), status=s) for s in ("CREATING", "DELETING", "ERROR")]
        cloud.run(namespace.CreateNamespace, self.app, "web")
        self.assertEqual(cloud.CLUSTER_ID, self.service.calls[-1][2]["cluster"])

    def test_without_a_cluster_to_choose_the_states_are_reported(self) -> None:
        for clusters, said in (
            ([cloud.cluster(status="CREATING")], "no cluster is ACTIVE (demo is CREATING)"),
            ([], "no cluster exists"),
        ):
            self.service.items = list(clusters)
            error = self.assertRaises(exceptions.CommandError, cloud.run, namespace.CreateNamespace, self.app, "web")
            self.assertIn(said, str(error))

    def test_a_longer_list_and_a_shorter_one(self) -> None:
        for listing, plural, header in (
            (cluster.ListCluster, "clusters", "Service Subnet"),
            (node.ListNode, "nodes", "Agent Version"),
            (namespace.ListNamespace, "namespaces", "Security Group ID"),
        ):
            self.assertNotIn(header, cloud.run(listing, self.app)[0])
            self.assertEqual((plural, {}), self.service.calls[-1])
            headers, _ = cloud.run(listing, self.app, "--long", "--limit", "2", "--marker", "m")
            self.assertIn(header, headers)
            self.assertEqual((plural, {"max_items": 2, "marker": "m"}), self.service.calls[-1])

    def test_a_namespace_is_described_and_labeled(self) -> None:
        self.service.items.append(Namespace(id="n1", name="web"))
        words = ("web", "--description", "The shop", "--label", "team=shop", "--label", "tier=")
        cloud.run(namespace.SetNamespace, self.app, *words)
        labels = {"team": "shop", "tier": ""}
        wanted = {"description": "The shop", "labels": labels}
        self.assertEqual(("update", Namespace, "n1", wanted), self.service.calls[-1])
        cloud.run(namespace.UnsetNamespace, self.app, "web", "--description", "--label", "team", "--label", "tier")
        removed = {"description": None, "labels": {"team": None, "tier": None}}
        self.assertEqual(("update", Namespace, "n1", removed), self.service.calls[-1])
        cloud.run(namespace.CreateNamespace, self.app, "api", "--description", "An API", "--label", "team=shop")
        made = {"name": "api", "cluster": cloud.CLUSTER_ID, "description": "An API", "labels": {"team": "shop"}}
        self.assertEqual(("create", Namespace, made), self.service.calls[-1])

    def test_nothing_to_change_is_not_sent(self) -> None:
        self.service.items.append(Namespace(id="n1", name="web"))
        for changing in (namespace.SetNamespace, namespace.UnsetNamespace):
            cloud.run(changing, self.app, "web")
        self.assertEqual([], self.service.calls)

    def test_a_network_may_be_named(self) -> None:
        cloud.run(namespace.CreateNamespace, self.app, "web", "--network", "mine")
        self.assertEqual("id-of-mine", self.service.calls[-1][2]["network_id"])

    def test_an_administrator_lists_every_project_s(self) -> None:
        headers, _ = cloud.run(namespace.ListNamespace, self.app, "--all-projects", "--cluster", "demo")
        self.assertEqual(("Cluster ID", "Network ID", "Subnet CIDR", "Project ID"), headers[-4:])
        self.assertEqual([("namespaces", {"all_projects": True, "cluster_id": cloud.CLUSTER_ID})], self.service.calls)


class EntryPointsTest(testtools.TestCase):
    """What ``openstack`` finds."""

    COMMANDS = {
        f"kube_{noun}_{verb}"
        for noun, more in (("cluster", ("health", "retry")), ("node", ("set",)), ("namespace", ("set", "unset")))
        for verb in ("create", "list", "show", "delete", *more)
    } | {"kube_config", "kube_cluster_node_add", "kube_cluster_node_list", "kube_cluster_node_remove"}

    def test_every_command_is_found_and_has_an_example(self) -> None:
        found = {point.name: point for point in importlib.metadata.entry_points(group="openstack.kube.v1")}
        self.assertEqual(self.COMMANDS, set(found))
        for name, point in found.items():
            self.assertIn("Example", point.load().__doc__, name)


class ServedApiTest(testtools.TestCase):
    """Commands, SDK and API together."""

    def setUp(self) -> None:
        super().setUp()
        self.api = self.useFixture(served_api.ServedApi())

    def _error(self, persona: str, command: type[command.Command], *words: str) -> str:
        app = cloud.App(self.api.connection(persona).kubernetes)
        return str(self.assertRaises(exceptions.CommandError, cloud.run, command, app, *words))

    def test_a_name_that_nothing_can_have_is_not_found(self) -> None:
        for name in ("..", ".", "", "a b", "UPPER", "a/b"):
            said = self._error("red_member", namespace.ShowNamespace, name)
            self.assertEqual(f"No Namespace found for {name}", said)
            self.assertEqual(f"No Cluster found for {name}", self._error("red_member", cluster.ShowCluster, name))
            self.assertEqual(f"No Node found for {name}", self._error("operator", node.ShowNode, name))

    def test_a_refusal_is_in_the_api_s_words(self) -> None:
        said = self._error("red_member", cluster.CreateCluster, "demo", "--control-node", "node1")
        self.assertIn("Ask", said)
