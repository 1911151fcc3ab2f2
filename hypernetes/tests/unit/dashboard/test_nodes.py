# SPDX-License-Identifier: Apache-2.0
"""The operator's panel Nodes."""

from django.urls import reverse

from hypernetes.sdk.node import Node
from hypernetes.tests.unit.dashboard import base

INDEX = reverse("horizon:admin:kubernetes_nodes:index")
CREATE = reverse("horizon:admin:kubernetes_nodes:create")
DISABLE = reverse("horizon:admin:kubernetes_nodes:disable", args=(base.NODE_ID,))
SECRET = "planted-secret"


class NodesTest(base.PanelTest):
    role_names = ("admin", "member", "reader")

    def test_state_and_heartbeat_are_shown(self) -> None:
        self.service.items.append(base.node(status="DOWN", status_reason="The agent is silent."))
        response = self.client.get(INDEX)
        self.assertContains(response, "The agent is silent.")
        self.assertContains(response, "danger")

    def test_a_node_s_secret_is_shown_once(self) -> None:
        self.service.created = {"enrollment_secret": SECRET}
        response = self.client.post(CREATE, {"name": "node2"}, HTTP_X_REQUESTED_WITH="XMLHttpRequest")
        self.assertContains(response, SECRET)
        self.assertIn("no-store", response["Cache-Control"])
        self.assertNotIn(SECRET, str(dict(self.client.session.items())))
        self.assertNotContains(self.client.get(INDEX), SECRET)

    def test_without_scripts_the_secret_has_a_page(self) -> None:
        self.service.created = {"enrollment_secret": SECRET}
        response = self.client.post(CREATE, {"name": "node2"})
        self.assertTemplateUsed(response, "kubernetes/form.html")
        self.assertContains(response, SECRET)

    def test_a_name_that_no_host_has_is_refused(self) -> None:
        response = self.client.post(CREATE, {"name": "Node_2"})
        self.assertEqual(["name"], list(response.context["form"].errors))
        self.assertEqual([], self.service.calls)

    def test_disabling_asks_for_the_reason(self) -> None:
        self.service.items.append(base.node())
        page = self.client.get(INDEX)
        self.assertContains(page, DISABLE)
        self.assertNotContains(page, f"nodes__enable__{base.NODE_ID}")
        self.assertContains(self.client.get(DISABLE), "until they are evicted")
        self.client.post(DISABLE, {"node_id": base.NODE_ID, "reason": "new memory"})
        self.client.post(DISABLE, {"node_id": base.NODE_ID, "reason": ""})
        asked = [
            ("update", Node, base.NODE_ID, {"disabled": True, "disabled_reason": reason})
            for reason in ("new memory", None)
        ]
        self.assertEqual(asked, [call for call in self.service.calls if call[0] == "update"])

    def test_a_disabled_node_says_why_and_can_be_enabled(self) -> None:
        self.service.items.append(base.node(disabled=True, disabled_reason="new memory"))
        page = self.client.get(INDEX)
        self.assertContains(page, "Disabled: new memory")
        self.assertNotContains(page, DISABLE)
        self.client.post(INDEX, {"action": f"nodes__enable__{base.NODE_ID}"})
        self.assertIn(("update", Node, base.NODE_ID, {"disabled": False}), self.service.calls)

    def test_deleting_is_asked_of_the_api(self) -> None:
        self.service.items.append(base.node())
        self.client.post(INDEX, {"action": f"nodes__delete__{base.NODE_ID}"})
        self.assertIn(("delete", Node, base.NODE_ID), self.service.calls)
