# SPDX-License-Identifier: Apache-2.0
"""Subnets on a project's router, with a Neutron that is a small HTTP server."""

from hypernetes.model import errors
from hypernetes.tests.support.database import RED
from hypernetes.tests.support.fakes import openstack_http
from hypernetes.tests.unit.openstack.neutron.test_networks import NetworksCase
from hypernetes.tests.unit.openstack.neutron.test_networks import ROUTER
from hypernetes.tests.unit.openstack.neutron.test_networks import SUBNET


class InterfaceTest(NetworksCase):
    """Subnets on the project's router."""

    def setUp(self) -> None:
        super().setUp()
        self.put("routers", id=ROUTER)

    def attach(self) -> None:
        self.networks.namespace.ensure_router_interface(ROUTER, SUBNET)

    def test_a_subnet_is_attached_by_ids(self) -> None:
        self.attach()
        look_up, put = self.services.sent()
        self.assertEqual({"project_id": RED, "device_id": ROUTER, "fixed_ips": f"subnet_id={SUBNET}"}, look_up.query)
        self.assertEqual(
            ("PUT", f"/routers/{ROUTER}/add_router_interface", {"subnet_id": SUBNET}), (put.method, put.path, put.body)
        )

    def test_a_subnet_is_attached_once(self) -> None:
        self.attach()
        self.attach()
        self.assertEqual(1, len(self.services.sent("PUT")))

    def test_another_routers_port_or_another_subnets_is_no_interface(self) -> None:
        for device_id, subnet_id in (("r2", SUBNET), (ROUTER, "s2")):
            self.put("ports", device_id=device_id, fixed_ips=[{"subnet_id": subnet_id, "ip_address": "10.0.0.1"}])
        self.attach()
        self.assertEqual(1, len(self.services.sent("PUT")))

    def test_a_subnet_is_detached_by_ids_and_again_without_harm(self) -> None:
        self.attach()
        for _ in range(2):
            self.networks.namespace.delete_router_interface(ROUTER, SUBNET)
            put = self.services.sent("PUT")[-1]
            self.assertEqual(f"/routers/{ROUTER}/remove_router_interface", put.path)
            self.assertEqual({"subnet_id": SUBNET}, put.body)
        self.assertEqual({}, self.services.things["ports"])

    def test_a_subnet_in_use_is_not_detached_and_the_error_says_why(self) -> None:
        body = openstack_http.refusal("RouterInterfaceInUseByFloatingIP", "It is required by one or more floating IPs.")
        self.services.answers("PUT", ".*remove_router_interface", 409, body)
        error = self.assertRaises(errors.Refused, self.networks.namespace.delete_router_interface, ROUTER, SUBNET)
        self.assertIn("required by one or more floating IPs. Fix", str(error))
