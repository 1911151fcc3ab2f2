# SPDX-License-Identifier: Apache-2.0
"""What is asked of Neutron in a tenant's project, with a Neutron that is a small HTTP server.

Pods' ports are in ``test_ports.py``.
"""

from collections.abc import Callable
from typing import Any
from typing import ClassVar
from typing import NamedTuple

import testtools

from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.openstack import cloud
from hypernetes.openstack import failures
from hypernetes.openstack.neutron import namespace
from hypernetes.openstack.neutron import project
from hypernetes.openstack.neutron import records
from hypernetes.tests.support.database import BLUE
from hypernetes.tests.support.database import RED
from hypernetes.tests.support.fakes import openstack_http

RECORD = ids.NamespaceId("11111111-1111-4111-8111-111111111111")
PROJECT_MARK = f"hypernetes:project:{RED}"
MARK = f"hypernetes:namespace:{RECORD}"
NETWORK = ids.NetworkId("n1")
SUBNET = ids.SubnetId("s1")
POOL = ids.SubnetPoolId("p1")
ROUTER = ids.RouterId("r1")
GROUP = ids.SecurityGroupId("g1")


class Networking(NamedTuple):
    """Everything that is asked of Neutron in one project."""

    project: project.ProjectNetworking
    namespace: namespace.NamespaceNetworking


Call = Callable[[Networking], Any]

# What finds an object of Hypernetes, where, and by which mark.
FINDS: tuple[tuple[Call, str, str], ...] = (
    (lambda n: n.project.find_router(), "routers", PROJECT_MARK),
    (lambda n: n.project.find_subnet_pool(), "subnetpools", PROJECT_MARK),
    (lambda n: n.namespace.find_network(RECORD), "networks", MARK),
    (lambda n: n.namespace.find_subnet(RECORD), "subnets", MARK),
    (lambda n: n.namespace.find_security_group(RECORD), "security-groups", MARK),
)
ENSURES: tuple[tuple[Call, str, str], ...] = (
    (lambda n: n.project.ensure_router(), "routers", PROJECT_MARK),
    (lambda n: n.project.ensure_subnet_pool(), "subnetpools", PROJECT_MARK),
    (lambda n: n.namespace.ensure_network(RECORD, "web"), "networks", MARK),
    (lambda n: n.namespace.ensure_subnet(RECORD, "web", NETWORK, cidr=None, pool_id=POOL), "subnets", MARK),
    (lambda n: n.namespace.ensure_security_group(RECORD, "web"), "security-groups", MARK),
)
DELETES: tuple[tuple[Call, str], ...] = (
    (lambda n: n.project.delete_router(ids.RouterId("x")), "routers"),
    (lambda n: n.project.delete_subnet_pool(ids.SubnetPoolId("x")), "subnetpools"),
    (lambda n: n.namespace.delete_network(ids.NetworkId("x")), "networks"),
    (lambda n: n.namespace.delete_subnet(ids.SubnetId("x")), "subnets"),
    (lambda n: n.namespace.delete_security_group(ids.SecurityGroupId("x")), "security-groups"),
)
GETS: tuple[tuple[Call, str], ...] = (
    (lambda n: n.namespace.network(NETWORK), "networks"),
    (lambda n: n.namespace.subnet(SUBNET), "subnets"),
    (lambda n: n.namespace.first_subnet(NETWORK), "subnets"),
)
HAS: tuple[tuple[Call, str], ...] = (
    (lambda n: n.project.has_router(ids.RouterId("x")), "routers"),
    (lambda n: n.project.has_subnet_pool(ids.SubnetPoolId("x")), "subnetpools"),
)
COPIES: tuple[Call, ...] = (
    lambda n: n.namespace.delete_duplicates(RECORD, (), of_networks=True),
    lambda n: n.project.delete_duplicates(()),
)
INTERFACES: tuple[Call, ...] = (
    lambda n: n.namespace.ensure_router_interface(ROUTER, SUBNET),
    lambda n: n.namespace.delete_router_interface(ROUTER, SUBNET),
)
ALL: tuple[Call, ...] = (
    *(find for find, _, _ in FINDS),
    *(ensure for ensure, _, _ in ENSURES),
    *(delete for delete, _ in DELETES),
    *(get for get, _ in GETS),
    *(has for has, _ in HAS),
    *COPIES,
    *INTERFACES,
)


class NetworksCase(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.services = self.useFixture(openstack_http.Services())
        self.networks = self.use()

    def use(self, **overrides: Any) -> Networking:
        """What is under test, with this configuration."""
        used = cloud.Cloud(openstack_http.configuration(self.services, **overrides))
        return Networking(used.project(RED), used.networks(RED))

    def put(self, collection: str, project_id: str = RED, **fields: Any) -> str:
        """Something that exists already."""
        defaults: dict[str, Any] = {}
        if collection == "networks":
            defaults = {"port_security_enabled": True}
        if collection == "subnets":
            defaults = {"network_id": NETWORK, "cidr": "10.0.0.0/24", "ip_version": 4, "gateway_ip": "10.0.0.1"}
        return self.services.put(collection, project_id, **(defaults | fields))

    def made(self) -> list[tuple[str, dict[str, Any]]]:
        """Path and contents of what was asked to be made."""
        return [(r.path, next(iter(r.body.values()))) for r in self.services.sent("POST")]

    def identity(self, answer: Any) -> Any:
        return getattr(answer, "id", answer)


class CopiesTest(NetworksCase):
    """A creation whose answer came too late was repeated."""

    def put_three(self, collection: str, mark: str) -> None:
        for name in ("kept", "copy-1", "copy-2"):
            self.put(collection, description=mark, id=f"{name}-{collection}")
        self.put(collection, BLUE, description=mark, id=f"blue-{collection}")
        self.put(collection, description="another", id=f"other-{collection}")

    def left(self, collection: str) -> set[str]:
        return {identifier.removesuffix(f"-{collection}") for identifier in self.services.things[collection]}

    def test_everything_with_the_mark_goes_but_what_is_kept(self) -> None:
        self.services.page_size = 1
        collections = ("networks", "subnets", "security-groups")
        for collection in collections:
            self.put_three(collection, MARK)
        kept = tuple(f"kept-{collection}" for collection in collections)
        self.networks.namespace.delete_duplicates(RECORD, kept, of_networks=False)
        self.assertEqual({"kept", "blue", "other"}, self.left("security-groups"))
        self.assertEqual({"kept", "copy-1", "copy-2", "blue", "other"}, self.left("networks"))
        self.networks.namespace.delete_duplicates(RECORD, kept, of_networks=True)
        for collection in collections:
            self.assertEqual({"kept", "blue", "other"}, self.left(collection), collection)

    def test_the_projects_own_go_alike(self) -> None:
        for collection in ("routers", "subnetpools"):
            self.put_three(collection, PROJECT_MARK)
        self.networks.project.delete_duplicates(("kept-routers", "kept-subnetpools"))
        for collection in ("routers", "subnetpools"):
            self.assertEqual({"kept", "blue", "other"}, self.left(collection), collection)

    def test_what_another_project_marked_and_shared_stays(self) -> None:
        self.services.filters = False
        for collection, mark in (("networks", MARK), ("subnets", MARK), ("security-groups", MARK)):
            self.put(collection, BLUE, description=mark)
        for collection in ("routers", "subnetpools"):
            self.put(collection, BLUE, description=PROJECT_MARK)
            self.put(collection, description="mine")
        for call in COPIES:
            call(self.networks)
        self.assertEqual([], self.services.sent("DELETE"))

    def test_what_there_is_is_told_from_what_is_gone(self) -> None:
        for has, collection in HAS:
            self.assertIs(False, has(self.networks))
            self.put(collection, id="x")
            self.assertIs(True, has(self.networks))


class LookUpTest(NetworksCase):
    """A tenant can write our marks, too."""

    def test_every_look_up_is_for_project_and_mark_with_the_members_token(self) -> None:
        for find, collection, mark in FINDS:
            self.assertIsNone(find(self.networks))
            request = self.services.sent()[-1]
            self.assertEqual(("GET", f"/{collection}"), (request.method, request.path))
            self.assertEqual({"project_id": RED, "description": mark}, request.query)
            self.assertEqual((f"project:{RED}", "RegionOne/internal"), (request.scope, request.place))
        self.assertEqual(len(FINDS), len(self.services.sent()))

    def test_what_another_project_marked_and_shared_is_never_ours(self) -> None:
        self.services.filters = False
        for find, collection, mark in FINDS:
            self.put(collection, BLUE, description=mark)
            self.assertIsNone(find(self.networks), collection)

    def test_another_deployments_on_the_same_neutron_are_neither_found_nor_deleted(self) -> None:
        self.networks = self.use(deployment_name="second")
        for find, collection, mark in FINDS:
            self.put(collection, description=mark)
            self.assertIsNone(find(self.networks), collection)
        for call in COPIES:
            call(self.networks)
        self.assertEqual([], self.services.sent("DELETE"))
        for find, collection, mark in FINDS:
            own = self.put(collection, description=mark.replace("hypernetes:", "second:"))
            self.assertEqual(own, self.identity(find(self.networks)))

    def test_of_several_the_oldest_is_ours_on_whatever_page_it_comes(self) -> None:
        self.services.page_size = 1
        for find, collection, mark in FINDS:
            for created_at in ("2026-02-03", "2026-02-01", "2026-02-02"):
                self.put(collection, description=mark, created_at=created_at, id=f"{collection}-{created_at}")
            self.assertEqual(f"{collection}-2026-02-01", self.identity(find(self.networks)))
            self.assertEqual(["2", "1"], [r.query.get("marker") for r in self.services.sent()[:-3:-1]])

    def test_what_is_found_is_not_made_again(self) -> None:
        for ensure, collection, mark in ENSURES:
            there = self.put(collection, description=mark)
            self.assertEqual(there, self.identity(ensure(self.networks)))
            self.assertNotIn(f"/{collection}", [path for path, _ in self.made()])

    def test_what_was_made_is_found(self) -> None:
        for (ensure, collection, mark), (find, _, _) in zip(ENSURES, FINDS, strict=True):
            made = self.identity(ensure(self.networks))
            self.assertEqual(mark, self.services.things[collection][made]["description"])
            self.assertEqual(RED, self.services.things[collection][made]["project_id"])
            self.assertEqual(made, self.identity(find(self.networks)))

    def test_what_was_made_though_its_answer_was_lost_is_found_and_not_made_twice(self) -> None:
        networks = self.use(connect_retries=2)
        for ensure, collection, _ in ENSURES:
            self.services.loses("POST", f"/{collection}")
            self.assertIs(errors.Unavailable, type(self.assertRaises(errors.Unavailable, ensure, networks)))
            self.assertIn(self.identity(ensure(networks)), self.services.things[collection])
            self.assertEqual(1, len(self.services.things[collection]), collection)


class MakeTest(NetworksCase):
    """The bodies of what is made."""

    def test_a_router_has_the_external_gateway_where_one_is_configured(self) -> None:
        contents = {"name": "hypernetes", "description": PROJECT_MARK}
        self.use().project.ensure_router()
        self.services.things["routers"].clear()
        self.use(external_network_id="ext").project.ensure_router()
        gateway = {"external_gateway_info": {"network_id": "ext"}}
        self.assertEqual([("/routers", contents), ("/routers", contents | gateway)], self.made())

    def test_a_pool_has_the_configured_prefixes(self) -> None:
        self.use(
            default_pool_prefixes=["10.8.0.0/16", "10.9.0.0/16"], default_prefix_length=26
        ).project.ensure_subnet_pool()
        ((path, contents),) = self.made()
        self.assertEqual("/subnetpools", path)
        # Neutron's API reference has the length as an integer and answers it as text; it takes both.
        self.assertEqual("26", str(contents.pop("default_prefixlen")))
        prefixes = ["10.8.0.0/16", "10.9.0.0/16"]
        self.assertEqual({"name": "hypernetes", "description": PROJECT_MARK, "prefixes": prefixes}, contents)

    def test_a_network_is_marked_when_it_is_made(self) -> None:
        self.networks.namespace.ensure_network(RECORD, "web")
        self.assertEqual([("/networks", {"name": "hypernetes-web", "description": MARK})], self.made())

    def test_a_subnet_comes_from_the_pool_unless_its_prefix_is_elsewhere(self) -> None:
        pool = {"subnetpool_id": POOL}
        for cidr, source in (
            (None, pool),
            ("10.0.7.0/24", pool | {"cidr": "10.0.7.0/24"}),
            ("192.168.0.0/24", {"cidr": "192.168.0.0/24"}),
            ("10.0.0.0/8", {"cidr": "10.0.0.0/8"}),
            ("fd00::/64", {"cidr": "fd00::/64"}),
        ):
            self.services.things["subnets"].clear()
            self.use(name_servers=["192.0.2.53"]).namespace.ensure_subnet(
                RECORD, "web", NETWORK, cidr=cidr, pool_id=POOL
            )
            path, contents = self.made()[-1]
            common = {"name": "hypernetes-web", "description": MARK, "network_id": NETWORK, "ip_version": 4}
            self.assertEqual("/subnets", path)
            self.assertEqual(common | {"dns_nameservers": ["192.0.2.53"]} | source, contents)

    def test_a_marked_subnet_of_another_network_is_not_taken(self) -> None:
        other = self.put("subnets", description=MARK, network_id="another")
        made = self.networks.namespace.ensure_subnet(RECORD, "web", NETWORK, cidr=None, pool_id=POOL)
        self.assertNotEqual(other, made.id)
        self.assertEqual(NETWORK, made.network_id)

    def test_a_group_lets_in_its_own_members_only(self) -> None:
        group_id = self.networks.namespace.ensure_security_group(RECORD, "web")
        inwards = {"security_group_id": group_id, "direction": "ingress", "remote_group_id": group_id}
        self.assertEqual(
            [
                ("/security-groups", {"name": "hypernetes-web", "description": MARK}),
                ("/security-group-rules", inwards | {"ethertype": "IPv4"}),
                ("/security-group-rules", inwards | {"ethertype": "IPv6"}),
            ],
            self.made(),
        )

    def test_only_the_missing_rules_of_a_group_are_made(self) -> None:
        group_id = self.networks.namespace.ensure_security_group(RECORD, "web")
        self.networks.namespace.ensure_security_group(RECORD, "web")
        self.assertEqual(3, len(self.made()))
        rules = self.services.things["security-group-rules"]
        next(rule for rule in rules.values() if rule["ethertype"] == "IPv6")["remote_group_id"] = "another"
        self.networks.namespace.ensure_security_group(RECORD, "web")
        self.assertEqual(("/security-group-rules", "IPv6"), (self.made()[3][0], self.made()[3][1]["ethertype"]))
        look_up = [request.query for request in self.services.sent("GET")][-1]
        self.assertEqual({"project_id": RED, "security_group_id": group_id, "direction": "ingress"}, look_up)


class ReadTest(NetworksCase):
    """What is read from Neutron's answers."""

    def test_a_network_of_the_project(self) -> None:
        self.put("networks", id=NETWORK, mtu=1442, subnets=["s1", "s2"])
        self.assertEqual(
            records.Network(NETWORK, RED, 1442, (SUBNET, ids.SubnetId("s2")), port_security=True),
            self.networks.namespace.network(NETWORK),
        )

    def test_port_security_can_be_disabled_where_neutron_has_the_extension(self) -> None:
        self.assertIs(False, self.networks.namespace.has_port_security_extension())
        self.services.put("extensions", RED, id="port-security", alias="port-security", name="Port Security")
        self.assertIs(True, self.networks.namespace.has_port_security_extension())
        self.put("networks", id=NETWORK, port_security_enabled=False)
        network = self.networks.namespace.network(NETWORK)
        self.assertIs(False, network is None or network.port_security)

    def test_a_network_that_another_project_shares_is_not_the_tenants(self) -> None:
        self.put("networks", BLUE, id=NETWORK, shared=True)
        self.assertIsNone(self.networks.namespace.network(NETWORK))

    def test_a_subnet(self) -> None:
        route = {"destination": "10.1.0.0/16", "nexthop": "10.0.0.9"}
        self.put("subnets", id=SUBNET, host_routes=[route], dns_nameservers=["192.0.2.53"])
        self.assertEqual(
            records.Subnet(
                SUBNET, NETWORK, "10.0.0.0/24", 4, "10.0.0.1", (("10.1.0.0/16", "10.0.0.9"),), ("192.0.2.53",)
            ),
            self.networks.namespace.subnet(SUBNET),
        )

    def test_the_first_subnet_is_the_oldest_of_ipv4(self) -> None:
        self.put("subnets", ip_version=6, created_at="2025-01-01")
        self.put("subnets", network_id="another", created_at="2025-01-01")
        self.put("subnets", created_at="2025-01-03")
        oldest = self.put("subnets", created_at="2025-01-02")
        self.assertEqual(oldest, self.identity(self.networks.namespace.first_subnet(NETWORK)))
        self.assertEqual(
            {"project_id": RED, "network_id": NETWORK, "ip_version": "4"}, self.services.sent("GET")[-1].query
        )

    def test_what_is_not_there_is_none(self) -> None:
        for read, _ in GETS:
            self.assertIsNone(read(self.networks))


class DeleteTest(NetworksCase):
    def test_by_id_and_again_without_harm(self) -> None:
        for delete, collection in DELETES:
            self.put(collection, id="x")
            for _ in range(2):
                delete(self.networks)
                request = self.services.sent()[-1]
                self.assertEqual(("DELETE", f"/{collection}/x"), (request.method, request.path))
            self.assertEqual({}, self.services.things[collection])
        self.assertEqual(2 * len(DELETES), len(self.services.sent()))

    def test_what_is_in_use_stays_and_the_user_is_told_by_whom(self) -> None:
        for delete, collection in DELETES:
            body = openstack_http.refusal("InUse", "It is in use by port q.")
            self.services.answers("DELETE", f"/{collection}/x", 409, body)
            self.assertIn("in use by port q. Fix", str(self.assertRaises(errors.Refused, delete, self.networks)))


class FailureTest(NetworksCase):
    """What each operation makes of Neutron's refusals and silence."""

    CASES: ClassVar[tuple[tuple[int, str, type[errors.HypernetesError]], ...]] = (
        (400, "InvalidInput", errors.Refused),
        (403, "PolicyNotAuthorized", failures.NotAMember),
        (409, "OverQuota", errors.QuotaExceeded),
        (409, "IpAddressInUse", errors.Refused),
        (429, "", errors.Unavailable),
        (500, "HTTPInternalServerError", errors.Unavailable),
        (500, "SubnetAllocationError", errors.Refused),
        (503, "", errors.Unavailable),
    )

    def test_every_operation_translates_every_answer(self) -> None:
        for status, kind, expected in self.CASES:
            for method in ("GET", "POST", "PUT", "DELETE"):
                self.services.answers(method, "/[^a].*", status, openstack_http.refusal(kind), times=len(ALL))
            for call in ALL:
                error = self.assertRaises(errors.HypernetesError, call, self.networks)
                self.assertIs(expected, type(error), f"{status} {kind}")
                self.assertIn("because", str(error))
            self.services.forget_answers()

    def test_a_refusal_to_make_is_translated_as_well(self) -> None:
        words = "Quota exceeded for resources: ['network']."
        for ensure, collection, _ in ENSURES:
            self.services.answers("POST", f"/{collection}", 409, openstack_http.refusal("OverQuota", words))
            error = self.assertRaises(errors.QuotaExceeded, ensure, self.networks)
            self.assertIn(f"{words} Delete what is not needed", str(error))

    def test_a_lost_answer_is_unavailability(self) -> None:
        for method in ("GET", "POST", "PUT", "DELETE"):
            self.services.loses(method, "/[^a].*", times=-1)
        for call in ALL:
            self.assertIs(errors.Unavailable, type(self.assertRaises(errors.Unavailable, call, self.networks)))

    def test_after_a_refusal_by_policy_the_next_try_succeeds(self) -> None:
        self.services.answers("POST", "/networks", 403, openstack_http.refusal("PolicyNotAuthorized"), times=1)
        error = self.assertRaises(failures.NotAMember, self.networks.namespace.ensure_network, RECORD, "web")
        self.assertIsInstance(error, errors.Unavailable)
        self.assertIn(self.networks.namespace.ensure_network(RECORD, "web").id, self.services.things["networks"])
