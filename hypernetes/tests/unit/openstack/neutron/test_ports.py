# SPDX-License-Identifier: Apache-2.0
"""Pods' ports: made, found and deleted with the role ``service``, with a Neutron that is a small HTTP server."""

from collections.abc import Callable
from typing import Any

import fixtures
import testtools

from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import names
from hypernetes.openstack import cloud
from hypernetes.openstack import failures
from hypernetes.openstack.neutron import ports
from hypernetes.openstack.neutron import records as neutron
from hypernetes.tests.support.database import BLUE
from hypernetes.tests.support.database import RED
from hypernetes.tests.support.fakes import openstack_http

RECORD = ids.PortRecordId("22222222-2222-4222-8222-222222222222")
MARK = f"hypernetes:port:{RECORD}"
NETWORK = ids.NetworkId("n1")
SUBNET = ids.SubnetId("s1")
PORT = ids.NeutronPortId("x")


class PortsCase(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.services = self.useFixture(openstack_http.Services())
        self.ports = self.use()

    def use(self, **overrides: Any) -> ports.Ports:
        """What is under test, with this configuration."""
        return cloud.Cloud(openstack_http.configuration(self.services, **overrides)).ports

    def ensure(self, ports: ports.Ports | None = None, **changes: Any) -> neutron.Port:
        """The port of the pod web-0 on node1."""
        wanted: dict[str, Any] = {
            "project_id": RED,
            "network_id": NETWORK,
            "subnet_id": SUBNET,
            "security_group_id": ids.SecurityGroupId("g1"),
            "pod_uid": ids.PodUid("uid-1"),
            "pod_name": "web-0",
            "host": "node1",
        }
        return (ports or self.ports).ensure(RECORD, **(wanted | changes))

    def put(self, project_id: str = RED, **fields: Any) -> str:
        """A port that exists already; ``host`` is the one to which it is bound."""
        there = {
            "network_id": NETWORK,
            "mac_address": "fa:16:3e:00:00:01",
            "fixed_ips": [{"subnet_id": SUBNET, "ip_address": "10.0.0.5"}],
            "description": MARK,
            "device_id": "uid-1",
            "device_owner": "compute:hypernetes",
            "binding:host_id": fields.pop("host", "node1"),
        }
        return self.services.put("ports", project_id, **(there | fields))


class EnsureTest(PortsCase):
    def test_a_port_is_made_whole_in_one_request_with_the_role_service(self) -> None:
        made = self.ensure()
        look_up, post = self.services.sent()
        self.assertEqual({"project_id": RED, "description": MARK}, look_up.query)
        self.assertEqual(("POST", "/ports", "project-name:service"), (post.method, post.path, post.scope))
        self.assertEqual((RED, "node1", ((SUBNET, "10.0.0.5"),)), (made.project_id, made.host, made.addresses))
        self.assertEqual(
            {
                "project_id": RED,
                "network_id": NETWORK,
                "fixed_ips": [{"subnet_id": SUBNET}],
                "security_groups": ["g1"],
                "name": "hypernetes-web-0",
                "description": MARK,
                "device_owner": names.PORT_DEVICE_OWNER,
                "device_id": "uid-1",
                "binding:host_id": "node1",
            },
            post.body["port"],
        )

    def test_the_address_that_was_asked_for_is_asked_of_neutron(self) -> None:
        made = self.ensure(address="10.0.0.77")
        fixed = [{"subnet_id": SUBNET, "ip_address": "10.0.0.77"}]
        self.assertEqual(fixed, self.services.things["ports"][made.id]["fixed_ips"])

    def test_a_long_pod_name_is_cut_to_what_neutron_takes(self) -> None:
        made = self.ensure(pod_name="w" * 300)
        self.assertEqual(255, len(self.services.things["ports"][made.id]["name"]))

    def test_a_port_that_is_there_is_not_made_again(self) -> None:
        self.assertEqual(self.ensure(), self.ensure())
        self.assertEqual(1, len(self.services.sent("POST")))

    def test_the_port_of_a_new_record_takes_one_request(self) -> None:
        self.ensure(is_new=True)
        self.assertEqual([("POST", "/ports")], [(r.method, r.path) for r in self.services.sent()])
        self.assertEqual(self.ensure(), self.ensure())
        self.assertEqual(1, len(self.services.things["ports"]))

    def test_a_port_that_was_made_though_its_answer_was_lost_is_found_and_not_made_twice(self) -> None:
        ports = self.use(connect_retries=2)
        self.services.loses("POST", "/ports")
        self.assertRaises(errors.Unavailable, self.ensure, ports)
        self.assertIn(self.ensure(ports).id, self.services.things["ports"])
        self.assertEqual(1, len(self.services.things["ports"]))

    def test_a_port_that_a_tenant_marked_is_never_taken(self) -> None:
        # A tenant writes any description, but only the role service may bind a port to a host.
        planted = {
            self.put(host=""),
            self.put(host=None),
            self.put(host="node2"),
            self.put(BLUE),
        }
        self.assertNotIn(self.ensure().id, planted)


class FindTest(PortsCase):
    def test_a_port_is_found_by_project_mark_and_host(self) -> None:
        there = self.put()
        found = self.ports.find(RECORD, RED, "node1")
        self.assertEqual(
            neutron.Port(
                id=ids.NeutronPortId(there),
                project_id=RED,
                network_id=NETWORK,
                mac_address="fa:16:3e:00:00:01",
                addresses=((SUBNET, "10.0.0.5"),),
                host="node1",
                device_id="uid-1",
            ),
            found,
        )
        self.assertEqual({"project_id": RED, "description": MARK}, self.services.sent()[-1].query)

    def test_a_port_is_not_found_for_another_host_project_or_record(self) -> None:
        self.put()
        other = ids.PortRecordId("33333333-3333-4333-8333-333333333333")
        for record_id, project_id, host in ((RECORD, RED, "node2"), (RECORD, BLUE, "node1"), (other, RED, "node1")):
            self.assertIsNone(self.ports.find(record_id, project_id, host))

    def test_a_port_is_found_behind_pages_of_planted_ones(self) -> None:
        self.services.page_size = 2
        for _ in range(5):
            self.put(host="")
        there = self.put()
        found = self.ports.find(RECORD, RED, "node1")
        self.assertEqual(there, found.id if found else None)
        self.assertEqual([None, "2", "4"], [request.query.get("marker") for request in self.services.sent()])

    def test_what_there_is_is_read_by_id_whosever_it_is(self) -> None:
        self.put(BLUE, id=PORT)
        network_fields = {"mtu": 1442, "subnets": [SUBNET], "port_security_enabled": True}
        self.services.put("networks", BLUE, id=NETWORK, **network_fields)
        self.services.put("subnets", BLUE, id=SUBNET, network_id=NETWORK, cidr="10.0.0.0/24", ip_version=4)
        port, network, subnet = self.ports.get(PORT), self.ports.network(NETWORK), self.ports.subnet(SUBNET)
        self.assertEqual((BLUE, "node1"), (port.project_id, port.host) if port else None)
        self.assertEqual(neutron.Network(NETWORK, BLUE, 1442, (SUBNET,), port_security=True), network)
        self.assertEqual(neutron.Subnet(SUBNET, NETWORK, "10.0.0.0/24", 4, None), subnet)
        self.assertEqual(
            [f"/ports/{PORT}", f"/networks/{NETWORK}", f"/subnets/{SUBNET}"], [r.path for r in self.services.sent()]
        )
        self.assertEqual({"project-name:service"}, {r.scope for r in self.services.sent()})

    def test_a_network_and_a_subnet_are_read_once_for_many_pods(self) -> None:
        self.services.put("networks", RED, id=NETWORK, mtu=1442, subnets=[SUBNET])
        self.services.put("subnets", RED, id=SUBNET, network_id=NETWORK, cidr="10.0.0.0/24", ip_version=4)
        for _ in range(3):
            self.assertEqual(1442, getattr(self.ports.network(NETWORK), "mtu", None))
            self.assertEqual("10.0.0.0/24", getattr(self.ports.subnet(SUBNET), "cidr", None))
        self.assertEqual([f"/networks/{NETWORK}", f"/subnets/{SUBNET}"], [r.path for r in self.services.sent()])

    def test_a_network_is_read_again_after_its_time_and_one_that_is_missing_each_time(self) -> None:
        self.useFixture(fixtures.MonkeyPatch("hypernetes.openstack.neutron.ports._KEPT_SECONDS", 0.0))
        brief = self.use()
        self.assertIsNone(brief.network(NETWORK))
        self.services.put("networks", RED, id=NETWORK, mtu=1442, subnets=[])
        self.assertIsNotNone(brief.network(NETWORK))
        self.services.things["networks"].clear()
        self.assertIsNone(brief.network(NETWORK))

    def test_what_is_not_there_is_none(self) -> None:
        for found in (self.ports.get(PORT), self.ports.network(NETWORK), self.ports.subnet(SUBNET)):
            self.assertIsNone(found)


class StrayTest(PortsCase):
    """Ports whose creation was answered too late; tenants write descriptions and device owners too."""

    def test_every_copy_goes_and_nothing_that_a_tenant_marked(self) -> None:
        mine = {self.put(), self.put()}
        planted = {
            self.put(host=""),
            self.put(host="node2"),
            self.put(BLUE),
            self.put(device_owner="compute:nova"),
            self.put(description="hypernetes:port:another"),
        }
        self.services.filters = False
        self.ports.delete_duplicates(RECORD, RED, "node1")
        self.assertEqual(planted, set(self.services.things["ports"]))
        self.assertFalse(mine & planted)

    def test_marked_ports_are_the_ones_bound_on_the_projects_network_by_us(self) -> None:
        there = self.put(network_id=NETWORK)
        for planted in (
            {"network_id": "another"},
            {"network_id": NETWORK, "host": ""},
            {"network_id": NETWORK, "device_owner": "compute:nova"},
            {"network_id": NETWORK, "description": "mine"},
            {"network_id": NETWORK, "description": ""},
            {"network_id": NETWORK, "project_id": BLUE},
        ):
            self.put(**planted)
        for filters in (True, False):
            self.services.filters = filters
            self.assertEqual([(RECORD, there)], self.ports.pod_ports(RED, NETWORK))

    def test_another_deployments_ports_on_a_tenants_network_are_not_listed(self) -> None:
        self.put()
        self.assertEqual([], self.use(deployment_name="second").pod_ports(RED, NETWORK))


class DeleteTest(PortsCase):
    def test_by_id_and_again_without_harm(self) -> None:
        self.put(id=PORT)
        for _ in range(2):
            self.ports.delete(PORT)
            request = self.services.sent()[-1]
            self.assertEqual(("DELETE", f"/ports/{PORT}"), (request.method, request.path))
            self.assertEqual({}, self.services.things["ports"])


class FailureTest(PortsCase):
    """What each operation makes of Neutron's refusals and silence."""

    def calls(self) -> tuple[Callable[[], object], ...]:
        return (
            self.ensure,
            lambda: self.ports.find(RECORD, RED, "node1"),
            lambda: self.ports.get(PORT),
            lambda: self.ports.delete(PORT),
            lambda: self.ports.delete_duplicates(RECORD, RED, "node1"),
            lambda: self.ports.pod_ports(RED, NETWORK),
            lambda: self.ports.network(NETWORK),
            lambda: self.ports.subnet(SUBNET),
        )

    def test_every_operation_translates_every_answer(self) -> None:
        for status, kind, expected in (
            (400, "InvalidInput", errors.Refused),
            (403, "PolicyNotAuthorized", failures.NotAMember),
            (409, "IpAddressInUse", errors.Refused),
            (409, "OverQuota", errors.QuotaExceeded),
            (500, "HTTPInternalServerError", errors.Unavailable),
            (503, "", errors.Unavailable),
        ):
            for method in ("GET", "DELETE"):
                self.services.answers(method, "/[^a].*", status, openstack_http.refusal(kind))
            for call in self.calls():
                self.assertIs(expected, type(self.assertRaises(errors.HypernetesError, call)), f"{status} {kind}")
            self.services.forget_answers()

    def test_a_lost_answer_is_unavailability(self) -> None:
        for method in ("GET", "DELETE"):
            self.services.loses(method, "/[^a].*", times=-1)
        for call in self.calls():
            self.assertIs(errors.Unavailable, type(self.assertRaises(errors.Unavailable, call)))

    def test_want_of_quota_is_told_in_neutrons_words(self) -> None:
        words = "Quota exceeded for resources: ['port']."
        self.services.answers("POST", "/ports", 409, openstack_http.refusal("OverQuota", words))
        self.assertIn(f"{words} Delete what is not needed", str(self.assertRaises(errors.QuotaExceeded, self.ensure)))

    def test_an_address_that_is_taken_is_told_in_neutrons_words(self) -> None:
        words = "IP address 10.0.0.77 already allocated in subnet s1"
        self.services.answers("POST", "/ports", 409, openstack_http.refusal("IpAddressAlreadyAllocated", words))
        self.assertIn(words, str(self.assertRaises(errors.Refused, self.ensure, address="10.0.0.77")))

    def test_after_a_refusal_by_policy_the_next_try_succeeds(self) -> None:
        self.services.answers("POST", "/ports", 403, openstack_http.refusal("PolicyNotAuthorized"), times=1)
        self.assertRaises(failures.NotAMember, self.ensure)
        self.assertIn(self.ensure().id, self.services.things["ports"])
