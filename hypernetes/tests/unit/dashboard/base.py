# SPDX-License-Identifier: Apache-2.0
"""The base of the panels' tests: Horizon's test case, with a fake of the SDK's proxy."""

from typing import Any
from unittest import mock

from django.conf import settings
from openstack_dashboard import context_processors
from openstack_dashboard.test import helpers
from openstack_dashboard.test.test_data import keystone_data

from hypernetes.dashboard import api
from hypernetes.sdk.namespace import Namespace
from hypernetes.sdk.node import Node
from hypernetes.tests.support.fakes import openstack_cli as cloud

NAMESPACE_ID = "22222222-2222-4222-8222-222222222222"
NODE_ID = "33333333-3333-4333-8333-333333333333"
NETWORK_ID = "44444444-4444-4444-8444-444444444444"
URL = "https://kubernetes.example"


def namespace(**changes: Any) -> Namespace:
    """An active namespace."""
    facts = {
        "id": NAMESPACE_ID,
        "name": "web",
        "status": "ACTIVE",
        "cluster_id": cloud.CLUSTER_ID,
        "network_id": NETWORK_ID,
        "subnet_cidr": "10.1.0.0/24",
        "created_at": "2026-11-28T10:00:00+00:00",
    }
    return Namespace(**{**facts, **changes})


def node(**changes: Any) -> Node:
    """A node that is up."""
    facts = {"id": NODE_ID, "name": "node1", "status": "UP", "last_seen_at": "2026-11-28T10:00:00+00:00"}
    return Node(**{**facts, **changes})


class PanelTest(helpers.TestCase):
    """A user's browser, and a service that holds a cluster."""

    role_names: tuple[str, ...] = ("member", "reader")

    def setUp(self) -> None:
        super().setUp()
        self.service = cloud.Service(cloud.cluster())
        patcher = mock.patch.object(api, "kubernetes", return_value=self.service)
        patcher.start()
        self.addCleanup(patcher.stop)

    def _setup_test_data(self) -> None:
        # Not all that Horizon has: some of it replaces constructors of openstacksdk's exceptions, in the whole process.
        keystone_data.data(self)
        catalog = context_processors.get_js_catalog(settings)
        self.context = {"authorized_tenants": self.tenants.list(), "JS_CATALOG": catalog}

    def _setup_user(self, **kwargs: Any) -> None:
        endpoint = {"region": "RegionOne", "region_id": "RegionOne", "interface": "public", "url": URL}
        catalog = [*self.service_catalog, {"type": "kubernetes", "name": "hypernetes", "endpoints": [endpoint]}]
        roles = [{"id": str(number), "name": name} for number, name in enumerate(self.role_names)]
        super()._setup_user(service_catalog=catalog, roles=roles, tenant_name="red", **kwargs)

    def messages(self, response: Any) -> list[str]:
        """Return what the page says above its content."""
        return [str(message) for message in response.context["messages"]]
