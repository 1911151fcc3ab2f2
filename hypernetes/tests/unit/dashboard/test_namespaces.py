# SPDX-License-Identifier: Apache-2.0
"""The panel Namespaces."""

from types import SimpleNamespace
from typing import Any
from unittest import mock

from django.urls import reverse
from openstack import exceptions as sdk
from openstack_dashboard.api import neutron

from hypernetes.dashboard import apiserver
from hypernetes.sdk.namespace import Namespace
from hypernetes.tests.support.fakes import openstack_cli as cloud
from hypernetes.tests.unit.dashboard import base

INDEX = reverse("horizon:project:kubernetes_namespaces:index")
CREATE = reverse("horizon:project:kubernetes_namespaces:create")
DETAIL = reverse("horizon:project:kubernetes_namespaces:detail", args=(base.NAMESPACE_ID,))
DESCRIBE = reverse("horizon:project:kubernetes_namespaces:describe", args=(base.NAMESPACE_ID,))
AJAX = {"HTTP_X_REQUESTED_WITH": "XMLHttpRequest"}
ROW = {"action": "row_update", "table": "namespaces", "obj_id": base.NAMESPACE_ID}


class ListTest(base.PanelTest):
    def test_the_project_s_namespaces_have_a_row_each(self) -> None:
        self.service.items += [base.namespace(), base.namespace(id="n2", name="batch", status="CREATING")]
        response = self.client.get(INDEX)
        self.assertEqual(["web", "batch"], [row.name for row in response.context["table"].data])
        self.assertContains(response, f"/project/networks/{base.NETWORK_ID}/detail")
        self.assertEqual(("namespaces", {}), self.service.calls[-1])

    def test_a_row_asks_again_while_its_status_changes(self) -> None:
        self.service.items.append(base.namespace(status="DELETING", status_reason="Waiting for pods"))
        response = self.client.get(INDEX, ROW, **AJAX)
        self.assertContains(response, "ajax-update")
        self.assertContains(response, "Waiting for pods")

    def test_the_row_of_a_deleted_one_disappears(self) -> None:
        response = self.client.get(INDEX, ROW, **AJAX)
        self.assertEqual(404, response.status_code)

    def test_a_failure_of_the_api_is_shown_and_logs_no_user_out(self) -> None:
        failure = mock.Mock(side_effect=sdk.HttpException("The database is not reachable.", http_status=503))
        with mock.patch.object(self.service, "namespaces", failure):
            response = self.client.get(INDEX)
        self.assertEqual(200, response.status_code)
        self.assertIn("The database is not reachable.", self.messages(response)[0])

    def test_deleting_is_asked_of_the_api(self) -> None:
        self.service.items.append(base.namespace())
        response = self.client.post(INDEX, {"action": f"namespaces__delete__{base.NAMESPACE_ID}"})
        self.assertRedirectsNoFollow(response, INDEX)
        self.assertIn(("delete", Namespace, base.NAMESPACE_ID), self.service.calls)

    def test_a_description_is_shown_and_changed(self) -> None:
        self.service.items.append(base.namespace(description="The shop", labels={"team": "shop"}))
        self.assertContains(self.client.get(INDEX), DESCRIBE)
        self.assertContains(self.client.get(DETAIL), "team=shop")
        self.assertContains(self.client.get(DESCRIBE), 'value="The shop"')
        for text, sent in (("A shop", "A shop"), ("", None)):
            self.client.post(DESCRIBE, {"namespace_id": base.NAMESPACE_ID, "description": text})
            self.assertIn(("update", Namespace, base.NAMESPACE_ID, {"description": sent}), self.service.calls)

    def test_what_is_being_deleted_has_no_button_for_it(self) -> None:
        self.service.items.append(base.namespace(status="DELETING"))
        response = self.client.get(INDEX)
        self.assertNotContains(response, f"namespaces__delete__{base.NAMESPACE_ID}")


class CreateTest(base.PanelTest):
    def setUp(self) -> None:
        super().setUp()
        networks = [SimpleNamespace(id=base.NETWORK_ID, name_or_id="mine")]
        patcher = mock.patch.object(neutron, "network_list", return_value=networks)
        self.networks = patcher.start()
        self.addCleanup(patcher.stop)

    def post(self, **fields: Any) -> Any:
        return self.client.post(CREATE, {"name": "web", "cluster": cloud.CLUSTER_ID, "network": "next", **fields})

    def test_a_namespace_with_the_next_subnet(self) -> None:
        response = self.post()
        self.assertRedirectsNoFollow(response, INDEX)
        self.assertEqual(("create", Namespace, {"name": "web", "cluster": cloud.CLUSTER_ID}), self.service.calls[-1])

    def test_a_namespace_may_be_described(self) -> None:
        self.post(description="The shop")
        self.assertEqual("The shop", self.service.calls[-1][2]["description"])

    def test_a_namespace_with_a_subnet_of_one_s_own(self) -> None:
        self.post(network="cidr", subnet_cidr="10.1.0.0/24")
        self.assertEqual("10.1.0.0/24", self.service.calls[-1][2]["subnet_cidr"])

    def test_a_namespace_in_an_existing_network(self) -> None:
        self.post(network="existing", network_id=base.NETWORK_ID, subnet_cidr="10.1.0.0/24")
        wished = {"name": "web", "cluster": cloud.CLUSTER_ID, "network_id": base.NETWORK_ID}
        self.assertEqual(("create", Namespace, wished), self.service.calls[-1])
        self.networks.assert_called_with(mock.ANY, tenant_id=self.tenant.id)

    def test_what_is_wrong_is_said_at_its_field(self) -> None:
        for field, fields in (
            ("name", {"name": "Web"}),
            ("subnet_cidr", {"network": "cidr", "subnet_cidr": "10.1.0.5/24"}),
            ("subnet_cidr", {"network": "cidr"}),
            ("network_id", {"network": "existing"}),
            ("cluster", {"cluster": "other"}),
        ):
            response = self.post(**fields)
            self.assertEqual([field], list(response.context["form"].errors), fields)
        self.assertNotIn("create", [call[0] for call in self.service.calls])

    def test_a_refusal_is_shown_in_the_api_s_words(self) -> None:
        refusal = sdk.ConflictException("The namespace web already exists in the cluster.", http_status=409)
        with mock.patch.object(self.service, "_create", side_effect=refusal):
            response = self.post()
        self.assertContains(response, "The namespace web already exists in the cluster.")

    def test_only_an_active_cluster_is_a_choice(self) -> None:
        self.service.items.append(cloud.cluster(id="c2", name="other", status="CREATING"))
        response = self.client.get(CREATE, **AJAX)
        self.assertEqual([(cloud.CLUSTER_ID, "demo")], response.context["form"].fields["cluster"].choices)
        self.assertTemplateUsed(response, "kubernetes/_create_namespace.html")


POD = apiserver.Pod("p1", "pod-one", "Running", "1/1", 0, "10.1.0.5", "node1", "hyper (+200Mi)", "2026-11-28T10:00:00Z")
EVENT = apiserver.Event("e1", "2026-11-28T10:00:00Z", "Warning", "FailedMount", "Pod/pod-one", "no such volume", 3)


class DetailTest(base.PanelTest):
    def setUp(self) -> None:
        super().setUp()
        self.service.items.append(base.namespace(status="ERROR", status_reason="The quota of networks is used up."))

    def test_status_and_reason_and_links(self) -> None:
        response = self.client.get(DETAIL)
        self.assertContains(response, "The quota of networks is used up.")
        self.assertContains(response, f"/project/networks/{base.NETWORK_ID}/detail")
        self.assertContains(response, f"/project/kubernetes_clusters/{cloud.CLUSTER_ID}/")

    def test_pods_and_events_are_asked_for_with_the_user_s_token(self) -> None:
        for tab, source, row, text in (
            ("pods", "pods", POD, "hyper (+200Mi)"),
            ("events", "events", EVENT, "no such volume"),
        ):
            with mock.patch.object(apiserver, source, return_value=[row]) as asked:
                response = self.client.get(DETAIL, {"tab": f"namespace_tabs__{tab}"})
            self.assertContains(response, text)
            asked.assert_called_once_with(mock.ANY, self.token.id, "web")

    def test_an_apiserver_out_of_reach_leaves_the_page(self) -> None:
        with mock.patch.object(apiserver, "pods", side_effect=apiserver.ApiserverSilent("no route")):
            response = self.client.get(DETAIL, {"tab": "namespace_tabs__pods"})
        self.assertEqual(200, response.status_code)
        self.assertIn("no route", self.messages(response)[0])

    def test_one_that_does_not_exist_leads_to_the_list(self) -> None:
        self.service.items.pop()
        self.assertRedirectsNoFollow(self.client.get(DETAIL), INDEX)
