# SPDX-License-Identifier: Apache-2.0
"""Which endpoints answer for which address of a Service."""

from collections.abc import Sequence
from typing import Any

import testtools

from hypernetes.agent.services import table

NODE = "node1"
SUBNET = "10.96.0.0/12"


def service(name: str = "web", address: str = "10.96.0.9", **spec: Any) -> dict[str, Any]:
    ports = spec.pop("ports", [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "web"}])
    return {
        "metadata": {"name": name},
        "spec": {"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address], "ports": ports, **spec},
    }


def endpoint(address: str, node: str = NODE, **conditions: bool) -> dict[str, Any]:
    return {"addresses": [address], "nodeName": node, "conditions": conditions or {"ready": True}}


def endpoint_slice(*endpoints: dict[str, Any], of: str = "web", **fields: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": f"{of}-1", "labels": {table.SERVICE_LABEL: of}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": list(endpoints),
        **fields,
    }


class TableTest(testtools.TestCase):
    def ports(self, services: Sequence[Any], slices: Sequence[Any] = ()) -> dict[tuple[str, str, int], list[str]]:
        made = table.table(services, slices, NODE, SUBNET)
        self.assertEqual((table.VERSION, [SUBNET]), (made["version"], made["ranges"]))
        return {
            (port["address"], port["protocol"], port["port"]): [
                f"{one['address']}:{one['port']}" for one in port["endpoints"]
            ]
            for port in made["ports"]
        }

    def answers(self, slices: Sequence[Any], **spec: Any) -> list[str]:
        """Return the endpoints of the one port of a Service."""
        return self.ports([service(**spec)], slices)[("10.96.0.9", "TCP", 80)]

    def test_a_named_target_port_is_each_slices_own(self) -> None:
        other = endpoint_slice(endpoint("10.0.0.6"), ports=[{"name": "http", "port": 8081, "protocol": "TCP"}])
        found = self.answers([endpoint_slice(endpoint("10.0.0.5")), other])
        self.assertEqual(["10.0.0.5:8080", "10.0.0.6:8081"], found)

    def test_without_endpoints_the_port_is_there(self) -> None:
        self.assertEqual([], self.answers([]))

    def test_only_ready_endpoints_answer(self) -> None:
        slices = [endpoint_slice(endpoint("10.0.0.5"), endpoint("10.0.0.6", ready=False))]
        self.assertEqual(["10.0.0.5:8080"], self.answers(slices))

    def test_an_endpoint_whose_readiness_is_not_known_is_ready(self) -> None:
        one = {"addresses": ["10.0.0.5"], "conditions": {}}
        self.assertEqual(["10.0.0.5:8080"], self.answers([endpoint_slice(one)]))

    def test_if_none_is_ready_those_that_terminate_and_serve_answer(self) -> None:
        leaving = endpoint("10.0.0.5", ready=False, serving=True, terminating=True)
        starting = endpoint("10.0.0.6", ready=False, serving=True, terminating=False)
        gone = endpoint("10.0.0.7", ready=False, serving=False, terminating=True)
        self.assertEqual(["10.0.0.5:8080"], self.answers([endpoint_slice(leaving, starting, gone)]))
        self.assertEqual(["10.0.0.8:8080"], self.answers([endpoint_slice(leaving, endpoint("10.0.0.8"))]))

    def test_local_traffic_stays_on_the_node(self) -> None:
        slices = [endpoint_slice(endpoint("10.0.0.5"), endpoint("10.0.0.6", node="node2"))]
        self.assertEqual(["10.0.0.5:8080"], self.answers(slices, internalTrafficPolicy="Local"))
        self.assertEqual(2, len(self.answers(slices, internalTrafficPolicy="Cluster")))

    def test_affinity_is_passed_on_to_who_chooses(self) -> None:
        for affinity, expected in (("ClientIP", True), ("None", False), (None, False)):
            (port,) = table.table([service(sessionAffinity=affinity)], [], NODE, SUBNET)["ports"]
            self.assertIs(expected, port["affinity"])

    def test_slices_of_other_services_families_and_protocols_do_not_count(self) -> None:
        slices = [
            endpoint_slice(endpoint("10.0.0.5"), of="other"),
            endpoint_slice(endpoint("fd00::5"), addressType="IPv6"),
            endpoint_slice(endpoint("10.0.0.6"), ports=[{"name": "http", "port": 8080, "protocol": "UDP"}]),
            endpoint_slice(endpoint("10.0.0.7"), ports=[{"name": "admin", "port": 8080, "protocol": "TCP"}]),
        ]
        self.assertEqual([], self.answers(slices))

    def test_a_port_without_a_name_matches_one_without_a_name(self) -> None:
        slices = [endpoint_slice(endpoint("10.0.0.5"), ports=[{"name": "", "port": 8080, "protocol": "TCP"}])]
        self.assertEqual(["10.0.0.5:8080"], self.answers(slices, ports=[{"port": 80}]))

    def test_services_without_an_address_of_their_own_are_left_out(self) -> None:
        ghosts = [
            service(address="None"),
            service(type="ExternalName", clusterIP="", clusterIPs=None),
            service(address="fd00::9"),
            service(address=""),
        ]
        self.assertEqual({}, self.ports(ghosts))

    def test_what_a_guest_would_not_take_is_left_out(self) -> None:
        slices = [endpoint_slice(*(endpoint(a) for a in ("127.0.0.1", "0.0.0.0", "224.0.0.1", "x", "10.0.0.5")))]
        self.assertEqual(["10.0.0.5:8080"], self.answers(slices))
        many = [{"name": str(number), "port": number} for number in range(1, table.MAX_PORTS + 10)]
        self.assertEqual(table.MAX_PORTS, len(self.ports([service(ports=many)])))
        self.assertEqual([], table.table([], [], NODE, "fd00::/108, x")["ranges"])

    def test_the_order_of_objects_does_not_matter(self) -> None:
        services = [service("a", "10.96.0.9"), service("b", "10.96.0.8")]
        slices = [endpoint_slice(endpoint("10.0.0.6"), endpoint("10.0.0.5"), of=name) for name in "ab"]
        first = table.table(services, slices, NODE, SUBNET)
        self.assertEqual(first, table.table(services[::-1], slices[::-1], NODE, SUBNET))
