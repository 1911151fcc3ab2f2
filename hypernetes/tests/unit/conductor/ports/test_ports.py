# SPDX-License-Identifier: Apache-2.0
"""Ports: given to the right sandbox of the right node once, taken back for certain."""

import dataclasses
from typing import Any

import testtools
from lightkube.models import core_v1 as core_models
from lightkube.resources import core_v1 as core

from hypernetes.conductor import dependencies
from hypernetes.conductor.engine import outcome
from hypernetes.conductor.ports import allocator
from hypernetes.conductor.ports import binding
from hypernetes.conductor.ports import garbage
from hypernetes.conductor.ports import reconciler
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import labels
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.openstack.neutron import records as neutron
from hypernetes.rpc import messages
from hypernetes.tests.support import conductor_fixture
from hypernetes.tests.support import database
from hypernetes.tests.support.fakes import fate as fates


class PortsCase(testtools.TestCase):
    """A node of a cluster with an ACTIVE namespace and a pod."""

    def setUp(self) -> None:
        super().setUp()
        self.fixture = self.useFixture(conductor_fixture.ConductorFixture())
        self.db = self.fixture.database
        self.neutron = self.fixture.cloud.neutron
        self.cluster = database.cluster(self.db)
        self.node = self.make_node("node1")
        made = database.namespace(self.db, self.cluster.id)
        self.namespace = self.db.namespaces.observe(
            made.id,
            network_id="network",
            subnet_id="subnet",
            security_group_id="group",
            status=states.NamespaceStatus.ACTIVE,
        )
        self.uid = self.fixture.pod("web-0", "web", "node1")
        self.sandbox = messages.Sandbox("f" * 64, "web", "web-0", self.uid)

    def make_node(self, name: str) -> records.Node:
        made = database.node(self.db, name)
        return self.db.nodes.observe(made.id, cluster_id=self.cluster.id)

    def allocate(
        self,
        sandbox: messages.Sandbox | None = None,
        node: records.Node | None = None,
        seen: dependencies.Dependencies | None = None,
    ) -> messages.PortBinding:
        return allocator.PortAllocator(seen or self.fixture.dependencies).allocate(
            node or self.node, sandbox or self.sandbox
        )

    def reconcile(self, seen: dependencies.Dependencies | None = None) -> None:
        used = reconciler.PortReconciler(seen or self.fixture.dependencies)
        for identifier in list(used.unsettled()):
            used.reconcile(identifier, conductor_fixture.never_lost())

    def neutron_ports(self) -> list[dict[str, Any]]:
        return self.neutron.all("port")


class AllocateTest(PortsCase):
    def test_the_sandbox_gets_a_port_in_the_tenants_project_bound_to_its_node(self) -> None:
        answer = self.allocate()
        (made,) = self.neutron_ports()
        self.assertEqual(("node1", database.RED, self.uid), (made["host"], made["project_id"], made["pod_uid"]))
        self.assertEqual(("10.0.0.5/24",), answer.addresses)
        self.assertEqual((messages.Route("0.0.0.0/0", "10.0.0.1"),), answer.routes)
        self.assertEqual(1442, answer.mtu)

    def test_the_node_learns_how_much_the_pod_may_write(self) -> None:
        limited = core_models.ResourceRequirements(limits={"ephemeral-storage": "3Gi"})
        containers = [core_models.Container(name="a", resources=limited), core_models.Container(name="b")]
        uid = self.fixture.pod("writer", "web", "node1", containers=containers)
        answer = self.allocate(messages.Sandbox("e" * 64, "web", "writer", uid))
        self.assertEqual(4 << 30, answer.ephemeral_storage)

    def test_the_node_learns_how_large_the_pods_machine_is(self) -> None:
        limited = core_models.ResourceRequirements(limits={"memory": "256Mi", "cpu": "3"})
        containers = [core_models.Container(name="a", resources=limited), core_models.Container(name="b")]
        uid = self.fixture.pod("sized", "web", "node1", containers=containers)
        answer = self.allocate(messages.Sandbox("f" * 64, "web", "sized", uid))
        self.assertEqual((1280 << 20, 3), (answer.memory_bytes, answer.cpus))

    def test_the_node_learns_where_services_are(self) -> None:
        self.assertEqual(self.cluster.service_subnet, self.allocate().service_subnet)

    def test_with_its_first_pod_of_a_namespace_a_node_is_admitted_to_its_services(self) -> None:
        woken: list[outcome.Key] = []
        seen = dataclasses.replace(self.fixture.dependencies, wake=woken.append)
        self.allocate(seen=seen)
        self.assertIn(outcome.Key("namespace", self.namespace.id), woken)
        woken.clear()
        uid = self.fixture.pod("web-1", "web", "node1")
        self.allocate(messages.Sandbox("e" * 64, "web", "web-1", uid), seen=seen)
        self.assertNotIn(outcome.Key("namespace", self.namespace.id), woken)

    def test_asked_twice_it_is_the_same_port(self) -> None:
        self.assertEqual(self.allocate(), self.allocate())
        self.assertEqual(1, len(self.neutron_ports()))

    def test_killed_at_any_call_the_repeated_request_gets_the_one_port(self) -> None:
        for after_effect in (False, True):
            for call in range(3):
                sandbox = dataclasses.replace(self.sandbox, sandbox_id=f"{call}{int(after_effect)}" * 32)
                fate = self.fixture.fate
                fate.calls, fate.dies_at, fate.after_effect = 0, call, after_effect
                try:
                    self.allocate(sandbox)
                except fates.Killed:
                    self.allocate(sandbox, seen=self.fixture.restart())
                fate.dies_at = None
                self.assertEqual(1, len(self.neutron_ports()))
                self.db.ports.mark_deleting(self.db.ports.list()[0].id)
                self.reconcile()
                self.assertEqual([], self.neutron_ports())

    def test_what_does_not_agree_with_the_apiserver_is_refused(self) -> None:
        self.fixture.pod("other", "web", "node2")
        self.fixture.pod("host", "web", "node1", hostNetwork=True)
        objects = self.fixture.apiserver.apiserver.objects
        uids = {name: item.metadata.uid for (_, _, name), item in objects.items()}
        for sandbox in (
            dataclasses.replace(self.sandbox, pod_uid=ids.new_uuid()),
            dataclasses.replace(self.sandbox, pod_name="nobody"),
            messages.Sandbox("e" * 64, "web", "other", uids["other"]),
            messages.Sandbox("e" * 64, "web", "host", uids["host"]),
        ):
            self.assertRaises(errors.Refused, self.allocate, sandbox)
        self.assertRaises(
            errors.NotFound, self.allocate, dataclasses.replace(self.sandbox, pod_namespace="kube-system")
        )
        self.assertEqual([], self.neutron_ports())
        self.assertEqual((), self.db.ports.list())

    def test_what_could_be_no_pods_is_refused_before_anybody_is_asked(self) -> None:
        for field, values in {
            "pod_name": ("../../victim/services/http:web:80/proxy/", "", ".", "..", "A", "a..b", "a" * 254, "a\n"),
            "pod_namespace": ("..", "", "a.b", "a/b", "a" * 64, "web\n"),
            "pod_uid": ("", "u", self.uid.upper() + "0", "{" + self.uid + "}", self.uid + "\n"),
            "sandbox_id": ("", "g" * 64, "f" * 65, "F" * 64, "../f", "f\n"),
        }.items():
            for value in values:
                malformed = dataclasses.replace(self.sandbox, **{field: value})
                error = self.assertRaises(errors.BadRequest, self.allocate, malformed)
                self.assertIn(field, str(error))

    def test_a_pods_name_may_have_dots(self) -> None:
        uid = self.fixture.pod("web.0-a", "web", "node1")
        self.allocate(messages.Sandbox("e" * 64, "web", "web.0-a", uid))

    def test_another_nodes_sandbox_is_refused(self) -> None:
        self.allocate()
        other = self.make_node("node2")
        uid = self.fixture.pod("theirs", "web", "node2")
        stolen = messages.Sandbox(self.sandbox.sandbox_id, "web", "theirs", uid)
        self.assertRaises(errors.Refused, self.allocate, stolen, other)

    def test_a_node_of_no_cluster_gets_nothing(self) -> None:
        self.assertRaises(errors.Refused, self.allocate, None, database.node(self.db, "without-a-cluster"))

    def test_a_namespace_that_is_going_gets_no_more_ports(self) -> None:
        self.db.namespaces.mark_deleting(self.namespace.id)
        self.assertRaises(errors.Unavailable, self.allocate)
        self.assertEqual((), self.db.ports.list())

    def test_a_quota_leaves_no_record_that_counts(self) -> None:
        self.neutron.refusal = errors.QuotaExceeded(reason="port")
        self.assertRaises(errors.QuotaExceeded, self.allocate)
        self.neutron.refusal = None
        self.reconcile()
        self.assertEqual((), self.db.ports.list())

    def test_one_pod_cannot_use_up_the_quota(self) -> None:
        limit = self.fixture.conf.conductor.sandboxes_per_pod
        for number in range(limit):
            self.allocate(dataclasses.replace(self.sandbox, sandbox_id=f"{number:064}"))
        self.assertRaises(errors.Refused, self.allocate)

    def test_a_sandbox_that_another_request_works_on_is_unavailable(self) -> None:
        self.fixture.conf.set_override("allocate_wait", 1.0, group="conductor")
        with self.fixture.dependencies.leases.hold(f"sandbox:{self.sandbox.sandbox_id}"):
            self.assertRaises(errors.Unavailable, self.allocate)


class TakeBackTest(PortsCase):
    def test_a_deleting_port_goes_in_neutron_and_then_here(self) -> None:
        self.allocate()
        (port,) = self.db.ports.list()
        self.reconcile()
        self.assertEqual(1, len(self.neutron_ports()))
        self.db.ports.mark_deleting(port.id)
        self.reconcile()
        self.assertEqual(([], ()), (self.neutron_ports(), self.db.ports.list()))

    def test_killed_between_neutron_and_the_record_it_is_found_by_its_mark(self) -> None:
        fate = self.fixture.fate
        fate.calls, fate.dies_at, fate.after_effect = 0, 0, True
        self.assertRaises(fates.Killed, self.allocate)
        restarted = self.fixture.restart()
        (port,) = self.db.ports.list()
        self.assertIsNone(port.neutron_port_id)
        self.db.ports.mark_deleting(port.id)
        self.reconcile(restarted)
        self.assertEqual(([], ()), (self.neutron_ports(), self.db.ports.list()))

    def test_a_port_that_was_made_twice_is_taken_back_twice_and_no_other(self) -> None:
        self.allocate()
        (port,) = self.db.ports.list()
        fields = {"project_id": database.RED, "host": "node1", "network_id": "network"}
        self.neutron.make("port", port.id, **fields)
        elsewhere = self.neutron.make("port", port.id, **(fields | {"host": "node2"}))
        self.db.ports.mark_deleting(port.id)
        self.reconcile()
        self.assertEqual(([elsewhere], ()), ([p["id"] for p in self.neutron_ports()], self.db.ports.list()))

    def test_a_vanished_pods_port_is_taken_back_after_the_grace_and_no_other(self) -> None:
        self.allocate()
        (port,) = self.db.ports.list()
        collector = garbage.GarbageReconciler(self.fixture.dependencies)
        for grace, gone, expected in (
            (0.0, False, states.PortStatus.ACTIVE),
            (3600.0, True, states.PortStatus.ACTIVE),
            (0.0, True, states.PortStatus.DELETING),
        ):
            self.fixture.conf.set_override("port_grace", grace, group="conductor")
            if gone:
                self.fixture.apiserver.apiserver.objects.clear()
            ended = collector.reconcile(self.cluster.id, conductor_fixture.never_lost())
            self.assertIsInstance(ended, outcome.Settled)
            self.assertIs(expected, self.db.ports.get(port.id).status)


class BindingTest(testtools.TestCase):
    def test_addresses_carry_prefix_lengths_and_routes_follow_the_subnet(self) -> None:
        subnet = neutron.Subnet(
            ids.SubnetId("s"),
            ids.NetworkId("n"),
            "10.1.0.0/20",
            4,
            "10.1.0.1",
            (("192.0.2.0/24", "10.1.0.2"),),
            ("192.0.2.53",),
        )
        port = neutron.Port(
            ids.NeutronPortId("p"), database.RED, subnet.network_id, "fa:16", ((subnet.id, "10.1.2.3"),), "node1", "uid"
        )
        network = neutron.Network(subnet.network_id, database.RED, 1442, (subnet.id,), port_security=True)
        answer = binding.port_binding(ids.NamespaceId("record"), port, network, [subnet])
        self.assertEqual(("10.1.2.3/20",), answer.addresses)
        self.assertEqual(
            (messages.Route("0.0.0.0/0", "10.1.0.1"), messages.Route("192.0.2.0/24", "10.1.0.2")), answer.routes
        )
        self.assertEqual(("192.0.2.53",), answer.name_servers)


class RequestedAddressTest(PortsCase):
    """The annotation by which a pod asks for an address."""

    def annotated(self, value: str) -> messages.Sandbox:
        uid = self.fixture.pod("pinned", "web", "node1")
        pod = self.fixture.apiserver.apiserver.find(core.Pod, "pinned", "web")
        pod.metadata.annotations = {labels.ADDRESS_ANNOTATION: value}
        self.db.namespaces.observe(self.namespace.id, subnet_cidr="10.0.0.0/24")
        return messages.Sandbox("e" * 64, "web", "pinned", uid)

    def test_the_port_is_made_with_the_address_the_pod_asks_for(self) -> None:
        self.allocate(self.annotated("10.0.0.50"))
        self.assertEqual(["10.0.0.50"], [port["address"] for port in self.neutron_ports()])

    def test_a_pod_that_asks_for_none_leaves_the_choice_to_neutron(self) -> None:
        self.allocate()
        self.assertEqual([None], [port["address"] for port in self.neutron_ports()])

    def test_what_is_no_address_or_not_of_the_subnet_is_refused_and_makes_nothing(self) -> None:
        for value in ("fifty", "10.9.0.50", "10.0.0.50/24"):
            self.fixture.apiserver.apiserver.objects.pop((core.Pod, "web", "pinned"), None)
            refused = self.assertRaises(errors.Refused, self.allocate, self.annotated(value))
            self.assertIn(value.split("/")[0], str(refused))
        self.assertEqual([], self.neutron_ports())
