# SPDX-License-Identifier: Apache-2.0
"""The panels Clusters of the dashboards Project and Admin."""

from types import SimpleNamespace
from typing import Any
from unittest import mock

import yaml
from django.urls import reverse
from openstack_dashboard import api as horizon_api

from hypernetes.tests.support.fakes import openstack_cli as cloud
from hypernetes.tests.unit.dashboard import base

INDEX = reverse("horizon:project:kubernetes_clusters:index")
DETAIL = reverse("horizon:project:kubernetes_clusters:detail", args=(cloud.CLUSTER_ID,))
KUBECONFIG = reverse("horizon:project:kubernetes_clusters:kubeconfig", args=(cloud.CLUSTER_ID,))
ADMIN_INDEX = reverse("horizon:admin:kubernetes_clusters:index")
ADMIN_DETAIL = reverse("horizon:admin:kubernetes_clusters:detail", args=(cloud.CLUSTER_ID,))


class ProjectTest(base.PanelTest):
    def test_a_cluster_has_a_row_and_a_page_with_commands(self) -> None:
        self.assertContains(self.client.get(INDEX), KUBECONFIG)
        self.assertContains(self.client.get(DETAIL), "openstack kube config demo --namespace web")

    def test_a_cluster_without_an_address_has_no_kubeconfig(self) -> None:
        self.service.items = [cloud.cluster(status="CREATING", api_address=None, ca_certificate=None)]
        self.assertNotContains(self.client.get(INDEX), KUBECONFIG)

    def download(self, **fields: str) -> tuple[Any, Any]:
        made = SimpleNamespace(id="c1", secret="planted-secret")
        with mock.patch.object(horizon_api.keystone, "application_credential_create", return_value=made) as create:
            response = self.client.post(KUBECONFIG, {"auth": "credential", **fields})
        return response, create

    def test_a_kubeconfig_has_a_credential_for_this_cluster_alone(self) -> None:
        self.service.items.append(base.namespace())
        response, create = self.download(namespace="web")
        self.assertEqual('attachment; filename="demo.kubeconfig"', response["Content-Disposition"])
        self.assertIn("no-store", response["Cache-Control"])
        document = yaml.safe_load(response.content)
        self.assertEqual("web", document["contexts"][0]["context"]["namespace"])
        variables = {one["name"]: one["value"] for one in document["users"][0]["user"]["exec"]["env"]}
        self.assertEqual("planted-secret", variables["OS_APPLICATION_CREDENTIAL_SECRET"])
        self.assertTrue(variables["OS_AUTH_URL"].startswith("http"))
        path = f"/v1/clusters/{cloud.CLUSTER_ID}/tokenreview"
        asked = create.call_args.kwargs
        self.assertEqual([{"service": "kubernetes", "method": "POST", "path": path}], asked["access_rules"])
        self.assertFalse(asked["unrestricted"])

    def test_a_kubeconfig_without_a_secret(self) -> None:
        response, create = self.download(auth="environment")
        create.assert_not_called()
        document = yaml.safe_load(response.content)
        self.assertNotIn("env", document["users"][0]["user"]["exec"])
        self.assertEqual("demo-red", document["current-context"])

    def test_a_foreign_namespace_is_no_choice(self) -> None:
        response, create = self.download(namespace="blue")
        create.assert_not_called()
        self.assertEqual(["namespace"], list(response.context["form"].errors))


class AdminTest(base.PanelTest):
    role_names = ("admin", "member", "reader")

    def test_phase_and_reason_are_shown(self) -> None:
        self.service.items = [cloud.cluster(status="ERROR", phase="init", status_reason="kubeadm failed")]
        response = self.client.get(ADMIN_INDEX)
        self.assertContains(response, "kubeadm failed")
        self.assertContains(response, f"clusters__retry__{cloud.CLUSTER_ID}")

    def test_a_retry_is_asked_of_the_api(self) -> None:
        self.service.items = [cloud.cluster(status="ERROR", phase="init")]
        response = self.client.post(ADMIN_INDEX, {"action": f"clusters__retry__{cloud.CLUSTER_ID}"})
        self.assertRedirectsNoFollow(response, ADMIN_INDEX)
        self.assertIn(("retry", cloud.CLUSTER_ID), self.service.calls)

    def test_there_is_nothing_to_retry_in_an_active_cluster(self) -> None:
        self.assertNotContains(self.client.get(ADMIN_INDEX), "clusters__retry__")

    def test_health_counts_nodes_and_namespaces(self) -> None:
        self.service.items = [
            cloud.cluster(control_node_ids=[base.NODE_ID]),
            base.node(cluster_id=cloud.CLUSTER_ID),
            base.node(id="n2", name="node2", status="DOWN", cluster_id=cloud.CLUSTER_ID),
            base.node(id="n3", name="node3", status="UP", cluster_id=None),
            base.namespace(status="ERROR", status_reason="quota"),
        ]
        response = self.client.get(ADMIN_DETAIL)
        self.assertContains(response, "1 of 2 up")
        self.assertContains(response, "node1 (UP)")
        self.assertContains(response, "web: quota")
        self.assertContains(response, "The database takes 1.60 GiB of 2.00 GiB (80%).")
        self.assertIn(("namespaces", {"cluster_id": cloud.CLUSTER_ID, "all_projects": True}), self.service.calls)
