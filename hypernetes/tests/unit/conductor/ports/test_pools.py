# SPDX-License-Identifier: Apache-2.0
"""Pools of ready ports: a pod's port without a request to Neutron, and nothing left over."""

import dataclasses
import datetime
from typing import Any

import fixtures
from lightkube.resources import core_v1 as core

from hypernetes.conductor import dependencies
from hypernetes.conductor.engine import outcome
from hypernetes.conductor.namespaces import ports as namespace_ports
from hypernetes.conductor.ports import pool_reconciler
from hypernetes.model import errors
from hypernetes.model import labels
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.rpc import messages
from hypernetes.tests.support import conductor_fixture
from hypernetes.tests.support import database
from hypernetes.tests.support.fakes import fate as fates
from hypernetes.tests.unit.conductor.ports import test_ports


class PoolsCase(test_ports.PortsCase):
    """A namespace on a node whose first pod has started, so that a pool exists."""

    def setUp(self) -> None:
        super().setUp()
        self.db.nodes.observe(self.node.id, status=states.NodeStatus.UP)
        self.fixture.conf.set_override("minimum", 2, group="port_pool")
        self.allocate()
        self.settle()

    def settle(self, seen: dependencies.Dependencies | None = None) -> outcome.Outcome:
        ended: outcome.Outcome = outcome.Settled()
        used = pool_reconciler.PoolReconciler(seen or self.fixture.dependencies)
        for identifier in list(used.unsettled()):
            ended = used.reconcile(identifier, conductor_fixture.never_lost())
        return ended

    def next_sandbox(self, number: int) -> messages.Sandbox:
        uid = self.fixture.pod(f"web-{number}", "web", "node1")
        return messages.Sandbox(f"{number:064}", "web", f"web-{number}", uid)

    def ready(self) -> tuple[records.ReadyPort, ...]:
        return self.db.ready_ports.list(status=states.PortStatus.READY)


class ClaimTest(PoolsCase):
    def test_a_pod_gets_a_ready_port_and_neutron_is_not_asked(self) -> None:
        ready = self.ready()
        self.assertEqual(2, len(ready))
        self.neutron.refusal = errors.Unavailable(service="Neutron", reason="nobody may ask it now")
        self.fixture.fate.calls = 0
        answer = self.allocate(self.next_sandbox(1))
        # The one call is that to the apiserver, for the pod.
        self.assertEqual(1, self.fixture.fate.calls)
        self.assertEqual(ready[0].neutron_port_id, answer.port_id)
        self.assertEqual(("10.0.0.5/24",), answer.addresses)

    def test_the_port_names_its_pod_afterwards(self) -> None:
        sandbox = self.next_sandbox(1)
        answer = self.allocate(sandbox)
        self.assertEqual("", self.neutron.things[answer.port_id]["pod_uid"])
        self.reconcile()
        named = self.neutron.things[answer.port_id]
        self.assertEqual((sandbox.pod_uid, "web-1"), (named["pod_uid"], named["pod_name"]))
        self.assertTrue(all(port.labeled for port in self.db.ports.list()))

    def test_asked_twice_it_is_the_same_port_and_one_ready_port_less(self) -> None:
        sandbox = self.next_sandbox(1)
        self.assertEqual(self.allocate(sandbox).port_id, self.allocate(sandbox).port_id)
        self.assertEqual(1, len(self.ready()))

    def test_two_pods_never_get_the_same_port(self) -> None:
        answers = [self.allocate(self.next_sandbox(number)).port_id for number in range(1, 4)]
        self.assertEqual(3, len(set(answers)))

    def test_a_port_that_was_claimed_is_deleted_with_its_pod(self) -> None:
        answer = self.allocate(self.next_sandbox(1))
        port = self.db.ports.find_by_sandbox(f"{1:064}")
        assert port is not None
        self.db.ports.mark_deleting(port.id)
        self.reconcile()
        self.assertNotIn(answer.port_id, self.neutron.things)

    def test_a_pod_with_an_address_of_its_own_takes_none(self) -> None:
        sandbox = self.next_sandbox(1)
        pod = self.fixture.apiserver.apiserver.find(core.Pod, "web-1", "web")
        pod.metadata.annotations = {labels.ADDRESS_ANNOTATION: "10.0.0.50"}
        self.allocate(sandbox)
        self.assertEqual(2, len(self.ready()))

    def test_another_node_takes_none(self) -> None:
        other = self.make_node("node2")
        uid = self.fixture.pod("there", "web", "node2")
        self.allocate(messages.Sandbox("e" * 64, "web", "there", uid), other)
        self.assertEqual(2, len(self.ready()))

    def test_one_pod_cannot_empty_the_pool(self) -> None:
        self.fixture.conf.set_override("sandboxes_per_pod", 1, group="conductor")
        self.assertRaises(errors.Refused, self.allocate, dataclasses.replace(self.sandbox, sandbox_id="e" * 64))
        self.assertEqual(2, len(self.ready()))

    def test_a_namespace_that_begins_to_go_releases_what_was_claimed(self) -> None:
        claim = self.db.ready_ports.claim

        def delete_meanwhile(*arguments: Any) -> Any:
            self.db.namespaces.mark_deleting(self.namespace.id)
            return claim(*arguments)

        self.useFixture(fixtures.MockPatchObject(self.db.ready_ports, "claim", delete_meanwhile))
        self.assertRaises(errors.Refused, self.allocate, self.next_sandbox(1))
        port = self.db.ports.find_by_sandbox(f"{1:064}")
        assert port is not None
        self.assertIs(states.PortStatus.DELETING, port.status)


class FillTest(PoolsCase):
    def test_a_claimed_port_is_replaced(self) -> None:
        self.allocate(self.next_sandbox(1))
        self.settle()
        self.assertEqual(2, len(self.ready()))

    def test_a_pool_found_empty_grows_batch_by_batch(self) -> None:
        for number in range(1, 4):
            self.allocate(self.next_sandbox(number))
        self.fixture.conf.set_override("batch", 3, group="port_pool")
        self.assertEqual(outcome.Again(0.0), self.settle())
        self.settle()
        self.assertEqual(4, len(self.ready()))

    def test_a_project_has_no_more_ready_ports_than_its_maximum(self) -> None:
        self.fixture.conf.set_override("project_maximum", 1, group="port_pool")
        self.allocate(self.next_sandbox(1))
        self.allocate(self.next_sandbox(2))
        self.settle()
        self.assertEqual(1, len(self.ready()))

    def test_pools_can_be_off(self) -> None:
        self.fixture.conf.set_override("minimum", 0, group="port_pool")
        self.settle()
        self.allocate(self.next_sandbox(1))
        self.assertEqual(((), ()), (self.db.port_pools.list(), self.db.ready_ports.list()))

    def test_a_quota_that_is_exhausted_ends_the_filling_and_leaves_no_record(self) -> None:
        self.allocate(self.next_sandbox(1))
        self.neutron.refusal = errors.QuotaExceeded(reason="port")
        self.assertIsInstance(self.settle(), outcome.Again)
        self.assertEqual(1, len(self.db.ready_ports.list()))

    def test_a_pod_that_meets_the_quota_gets_what_the_pools_hold(self) -> None:
        sandbox = self.next_sandbox(1)
        pod = self.fixture.apiserver.apiserver.find(core.Pod, "web-1", "web")
        pod.metadata.annotations = {labels.ADDRESS_ANNOTATION: "10.0.0.50"}
        self.neutron.refusal = errors.QuotaExceeded(reason="port")
        self.assertRaises(errors.Unavailable, self.allocate, sandbox)
        self.assertEqual((), self.ready())
        self.settle()
        self.neutron.refusal = None
        self.allocate(sandbox)

    def test_a_ready_port_that_a_tenant_deleted_is_replaced(self) -> None:
        gone = self.ready()[0].neutron_port_id
        assert gone is not None
        del self.neutron.things[gone]
        self.settle()
        ready = [port.neutron_port_id for port in self.ready()]
        self.assertEqual((2, False), (len(ready), gone in ready))

    def test_killed_at_any_call_it_leaves_no_port_without_a_record(self) -> None:
        for after_effect in (False, True):
            for call in range(2):
                self.allocate(self.next_sandbox(10 + 2 * call + int(after_effect)))
                fate = self.fixture.fate
                fate.calls, fate.dies_at, fate.after_effect = 0, call, after_effect
                try:
                    self.settle()
                except fates.Killed:
                    self.settle(self.fixture.restart())
                fate.dies_at = None
                recorded = {port.neutron_port_id for port in self.db.ports.list()}
                recorded |= {ready.neutron_port_id for ready in self.db.ready_ports.list()}
                self.assertEqual({port["id"] for port in self.neutron_ports()}, recorded)


class DrainTest(PoolsCase):
    def assert_drained(self) -> None:
        self.settle()
        self.assertEqual(((), ()), (self.db.port_pools.list(), self.db.ready_ports.list()))
        self.assertEqual(len(self.db.ports.list()), len(self.neutron_ports()))

    def test_a_pool_that_no_pod_needs_any_more_goes(self) -> None:
        self.settle()
        self.assertEqual(2, len(self.ready()))
        (pool,) = self.db.port_pools.list()
        self.db.port_pools.observe(pool.id, used_at=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        self.assert_drained()

    def test_the_pool_of_a_node_that_is_down_goes(self) -> None:
        self.db.nodes.observe(self.node.id, status=states.NodeStatus.DOWN)
        self.assert_drained()

    def test_a_namespace_is_deleted_only_without_its_pool(self) -> None:
        deleting = self.db.namespaces.mark_deleting(self.namespace.id)
        self.assertRaises(outcome.Waiting, namespace_ports.await_ports, self.fixture.dependencies, deleting)
        self.reconcile()
        self.assertRaises(outcome.Waiting, namespace_ports.await_ports, self.fixture.dependencies, deleting)
        self.settle()
        namespace_ports.await_ports(self.fixture.dependencies, deleting)
        self.assertEqual([], self.neutron_ports())

    def test_a_ready_port_of_another_namespace_on_the_network_is_no_stray(self) -> None:
        network = self.namespace.network_id
        other = self.db.namespaces.observe(
            self.other_namespace().id, network_id=network, status=states.NamespaceStatus.ACTIVE
        )
        deleting = self.db.namespaces.mark_deleting(other.id)
        namespace_ports.await_ports(self.fixture.dependencies, deleting)
        self.assertEqual(3, len(self.neutron_ports()))

    def other_namespace(self) -> records.Namespace:
        return database.namespace(self.db, self.cluster.id, "other")
