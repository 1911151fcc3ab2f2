# SPDX-License-Identifier: Apache-2.0
"""A node becomes a worker of a cluster and leaves it again, whenever the conductor is killed on the way."""

import base64
from typing import Any

import testtools
from cryptography.hazmat.primitives.asymmetric import ec
from lightkube.models import certificates_v1 as certificate_models
from lightkube.models import core_v1 as core_models
from lightkube.models import meta_v1 as meta
from lightkube.resources import certificates_v1 as certificates
from lightkube.resources import core_v1 as core

from hypernetes.agent.bootstrap import prepare_worker
from hypernetes.conductor import orders
from hypernetes.conductor.clusters import deletion
from hypernetes.conductor.clusters import reconciler as cluster_reconciler
from hypernetes.conductor.clusters import strangers
from hypernetes.conductor.engine import outcome
from hypernetes.conductor.nodes import reconciler
from hypernetes.conductor.nodes import results
from hypernetes.kubernetes import node_certificates
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.rpc import messages
from hypernetes.tests.support import conductor_fixture
from hypernetes.tests.support import database as builders
from hypernetes.tests.support.fakes import fate as fates

Membership = states.Membership


def csr(name: str = "node2") -> str:
    return prepare_worker.signing_request(ec.generate_private_key(ec.SECP256R1()), name)


class WorkerCase(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.fixture = self.useFixture(conductor_fixture.ConductorFixture())
        self.db = self.fixture.database
        self.apiserver = self.fixture.apiserver.apiserver
        self.control = builders.node(self.db, "node1", token_hash="6" * 64)
        self.cluster = builders.cluster(self.db, nodes=(self.control.id,))
        self.db.clusters.observe(self.cluster.id, endpoint="demo.hypernetes.internal", ca_certificate="the CA")
        self.node = builders.node(self.db, "node2", token_hash="7" * 64)
        self.beat(self.control.id, "192.0.2.11")
        self.beat(self.node.id, "192.0.2.12")

    def beat(self, node_id: ids.NodeId, address: str) -> None:
        self.db.nodes.heartbeat_many([records.NodeReport(node_id, address, "1", "boot")])

    def now(self) -> records.Node:
        return self.db.nodes.get(self.node.id)

    def membership(self) -> states.Membership | None:
        return self.now().membership

    def reconcile(self, dependencies: Any = None) -> outcome.Outcome:
        used = reconciler.NodeReconciler(dependencies or self.fixture.dependencies)
        return used.reconcile(self.node.id, conductor_fixture.never_lost())

    def order(self) -> messages.PhaseOrder:
        order = orders.decode(self.now().order)
        assert order is not None
        return order

    def answer(self, outputs: dict[str, str] | None = None, *, ok: bool = True, message: str = "") -> bool:
        order = self.order()
        result = messages.PhaseResult(messages.Caller("n", "t"), order.order_id, ok, message, outputs or {})
        return results.accept(self.fixture.dependencies, self.now(), order, result)

    def sign(self) -> None:
        """Play the controller manager, which signs approved requests."""
        for item in self.apiserver.list(certificates.CertificateSigningRequest):
            condition = certificate_models.CertificateSigningRequestCondition(type="Approved", status="True")
            item.status = certificate_models.CertificateSigningRequestStatus(
                conditions=[condition], certificate=base64.b64encode(b"the certificate").decode()
            )

    def make_ready(self, *, serving: bool = True) -> None:
        """Play the kubelet: it registers the node, and has its serving certificate approved."""
        ready = core_models.NodeStatus(conditions=[core_models.NodeCondition(type="Ready", status="True")])
        self.apiserver.create(
            core.Node(metadata=meta.ObjectMeta(name="node2"), spec=core_models.NodeSpec(), status=ready)
        )
        if serving:
            condition = certificate_models.CertificateSigningRequestCondition(type="Approved", status="True")
            self.apiserver.create(
                certificates.CertificateSigningRequest(
                    metadata=meta.ObjectMeta(name="csr-serving"),
                    spec=certificate_models.CertificateSigningRequestSpec(
                        request="", signerName="kubernetes.io/kubelet-serving", username="system:node:node2"
                    ),
                    status=certificate_models.CertificateSigningRequestStatus(conditions=[condition]),
                )
            )

    def join(self) -> None:
        self.db.nodes.join(self.node.id, self.cluster.id)
        self.reconcile()
        self.answer({"node.csr": csr()})
        self.reconcile()
        self.sign()
        self.reconcile()
        self.answer()
        self.make_ready()
        self.reconcile()

    def pod(self, name: str = "web", **metadata: Any) -> None:
        uid = self.fixture.pod(name, "shop", "node2")
        (found,) = [pod for pod in self.apiserver.list(core.Pod) if pod.metadata.uid == uid]
        for field, value in metadata.items():
            setattr(found.metadata, field, value)

    def port(self) -> records.Port:
        namespace = builders.namespace(self.db, self.cluster.id)
        return builders.port(self.db, namespace.id, self.node.id)


class JoinTest(WorkerCase):
    def test_it_is_a_member_when_it_is_ready(self) -> None:
        self.db.nodes.join(self.node.id, self.cluster.id)
        self.assertIn(self.node.id, reconciler.NodeReconciler(self.fixture.dependencies).unsettled())
        self.assertIsInstance(self.reconcile(), outcome.Again)
        order = self.order()
        self.assertEqual("prepare-worker", order.phase)
        self.assertEqual(
            ("demo.hypernetes.internal", "192.0.2.11"), (order.inputs["api_host"], order.inputs["api_host_address"])
        )
        self.answer({"node.csr": csr()})
        self.assertEqual((Membership.JOINING, None), (self.membership(), self.now().order))
        self.reconcile()
        self.assertIsNone(self.now().order)
        self.assertIn("sign the certificate", self.now().membership_reason or "")
        self.sign()
        self.reconcile()
        order = self.order()
        self.assertEqual("join", order.phase)
        self.assertEqual("the certificate", order.inputs["node.crt"])
        self.assertEqual("https://demo.hypernetes.internal:6443", order.inputs["api_server"])
        self.answer()
        self.reconcile()
        self.assertIn("to be Ready", self.now().membership_reason or "")
        self.make_ready()
        self.assertIsInstance(self.reconcile(), outcome.Settled)
        self.assertEqual((Membership.MEMBER, None), (self.membership(), self.now().membership_reason))
        self.assertNotIn(self.node.id, reconciler.NodeReconciler(self.fixture.dependencies).unsettled())

    def test_the_approval_is_sent_for_its_own_request(self) -> None:
        self.db.nodes.join(self.node.id, self.cluster.id)
        self.reconcile()
        self.answer({"node.csr": csr()})
        self.reconcile()
        (request,) = self.apiserver.list(certificates.CertificateSigningRequest)
        self.assertEqual(node_certificates.SIGNER, request.spec.signerName)
        self.assertEqual([str(request.metadata.name)], self.apiserver.approved)

    def test_a_request_for_another_node_is_not_signed(self) -> None:
        self.db.nodes.join(self.node.id, self.cluster.id)
        for pem in (csr("node1"), "nonsense", ""):
            self.reconcile()
            self.answer({"node.csr": pem})
            self.assertEqual((Membership.PREPARING, None), (self.membership(), self.now().order))
            self.assertIn("not accepted", self.now().membership_reason or "")
        self.assertEqual([], self.apiserver.list(certificates.CertificateSigningRequest))

    def test_a_failure_is_explained_and_repeated(self) -> None:
        self.db.nodes.join(self.node.id, self.cluster.id)
        self.reconcile()
        first = self.order().order_id
        self.answer(ok=False, message="no containerd.")
        reason = self.now().membership_reason or ""
        self.assertIn("Phase prepare-worker failed on node node2: no containerd.", reason)
        self.reconcile()
        self.assertNotEqual(first, self.order().order_id)

    def test_an_agent_that_does_not_report_is_waited_for(self) -> None:
        self.db.nodes.observe(self.node.id, status=states.NodeStatus.DOWN)
        self.db.nodes.join(self.node.id, self.cluster.id)
        self.reconcile()
        self.assertIsNone(self.now().order)
        self.assertIn("DOWN", self.now().membership_reason or "")

    def test_killed_anywhere_it_ends_as_a_member(self) -> None:
        for dies_at in range(1, 6):
            fixture = conductor_fixture.ConductorFixture()
            with fixture:
                self.fixture, self.db = fixture, fixture.database
                self.apiserver = fixture.apiserver.apiserver
                self.control = builders.node(self.db, "node1", token_hash="6" * 64)
                self.cluster = builders.cluster(self.db, nodes=(self.control.id,))
                self.node = builders.node(self.db, "node2", token_hash="7" * 64)
                self.beat(self.node.id, "192.0.2.12")
                fixture.fate.dies_at = dies_at
                try:
                    self.join()
                except fates.Killed:
                    restarted = fixture.restart()
                    self.finish(restarted)
                self.assertEqual(Membership.MEMBER, self.membership(), str(dies_at))
                self.assertEqual(1, len([n for n in self.apiserver.list(core.Node) if n.metadata.name == "node2"]))

    def finish(self, dependencies: Any) -> None:
        """Play the rest: whoever is asked answers."""
        for _ in range(12):
            self.reconcile(dependencies)
            self.sign()
            if self.now().order is not None:
                self.answer({"node.csr": csr()})
            if self.membership() is Membership.STARTING and not self.apiserver.find(core.Node, "node2"):
                self.make_ready()
            elif self.membership() is Membership.STARTING and not self.apiserver.find(
                certificates.CertificateSigningRequest, "csr-serving"
            ):
                self.apiserver.objects.pop((core.Node, None, "node2"))
                self.make_ready()


class LeaveTest(WorkerCase):
    def setUp(self) -> None:
        super().setUp()
        self.join()

    def leave(self, *, force: bool = False) -> None:
        self.db.nodes.leave(self.node.id, self.cluster.id, force=force)

    def test_it_is_cordoned_drained_reset_and_deleted(self) -> None:
        node = self.apiserver.find(core.Node, "node2")
        port = self.port()
        self.pod()
        self.leave()
        self.assertIsInstance(self.reconcile(), outcome.Again)
        self.assertTrue(node.spec.unschedulable)
        self.assertEqual(["shop/web"], self.apiserver.evicted)
        self.assertIn("1 pods", self.now().membership_reason or "")
        self.apiserver.objects.pop((core.Pod, "shop", "web"))
        self.reconcile()
        self.assertEqual("reset", self.order().phase)
        self.assertIsNotNone(self.apiserver.find(core.Node, "node2"))
        self.answer()
        self.assertIsInstance(self.reconcile(), outcome.Settled)
        now = self.now()
        self.assertEqual((None, None, None, False), (now.cluster_id, now.membership, now.order, now.cordoned))
        self.assertIsNone(self.apiserver.find(core.Node, "node2"))
        self.assertEqual(states.PortStatus.DELETING, self.db.ports.get(port.id).status)

    def test_static_pods_and_those_of_daemon_sets_are_not_waited_for(self) -> None:
        owner = meta.OwnerReference(apiVersion="apps/v1", kind="DaemonSet", name="d", uid="u", controller=True)
        self.pod("static", annotations={"kubernetes.io/config.mirror": "x"})
        self.pod("daemon", ownerReferences=[owner])
        self.leave()
        self.reconcile()
        self.assertEqual([], self.apiserver.evicted)
        self.assertEqual(Membership.RESETTING, self.membership())

    def test_a_pod_whose_budget_forbids_it_is_named(self) -> None:
        self.pod()
        self.apiserver.unevictable = {"web"}
        self.leave()
        self.reconcile()
        self.assertIn("shop/web", self.now().membership_reason or "")
        self.assertEqual(Membership.DRAINING, self.membership())

    def test_by_force_nothing_is_waited_for_and_a_late_agent_resets_itself(self) -> None:
        self.pod()
        port = self.port()
        self.db.nodes.observe(self.node.id, status=states.NodeStatus.DOWN)
        self.leave(force=True)
        self.assertIsInstance(self.reconcile(), outcome.Settled)
        self.assertIsNone(self.now().cluster_id)
        self.assertIsNone(self.apiserver.find(core.Node, "node2"))
        self.assertEqual(states.PortStatus.DELETING, self.db.ports.get(port.id).status)
        self.assertEqual("reset", self.order().phase)
        self.assertRaises(errors.Conflict, self.db.nodes.join, self.node.id, self.cluster.id)
        # Its kubelet has registered it again before the agent came to reset it.
        self.make_ready(serving=False)
        self.answer(ok=False, message="busy")
        first = self.order().order_id
        self.assertTrue(self.answer())
        self.assertNotEqual("", first)
        self.assertIsNone(self.now().order)
        self.assertIsNone(self.apiserver.find(core.Node, "node2"))
        self.db.nodes.join(self.node.id, self.cluster.id)

    def test_one_that_registers_again_without_a_reset_is_deleted_at_the_next_audit(self) -> None:
        self.apiserver.create(core.Node(metadata=meta.ObjectMeta(name="node1"), spec=core_models.NodeSpec()))
        self.leave(force=True)
        self.reconcile()
        self.make_ready(serving=False)
        strangers.remove_strangers(self.fixture.dependencies, self.cluster)
        self.assertEqual(["node1"], [item.metadata.name for item in self.apiserver.list(core.Node)])

    def test_a_drain_that_does_not_end_can_be_given_up(self) -> None:
        self.pod()
        self.leave()
        self.reconcile()
        self.leave(force=True)
        self.reconcile()
        self.assertIsNone(self.now().cluster_id)

    def test_a_result_that_comes_after_the_intent_has_changed_counts_for_nothing(self) -> None:
        self.leave()
        self.reconcile()
        stale, order = self.now(), self.order()
        self.leave(force=True)
        result = messages.PhaseResult(messages.Caller("n", "t"), order.order_id, True)
        results.accept(self.fixture.dependencies, stale, order, result)
        self.assertEqual((Membership.LOST, None), (self.membership(), self.now().order))
        self.reconcile()
        newer = self.now().order
        results.accept(self.fixture.dependencies, stale, order, result)
        self.assertEqual(newer, self.now().order)
        self.assertIsNotNone(newer)

    def test_the_deletion_of_the_cluster_resets_it_too(self) -> None:
        self.db.clusters.mark_deleting(self.cluster.id)
        cluster = self.db.clusters.observe(self.cluster.id, api_address="https://192.0.2.11:6443")
        self.assertRaises(outcome.Waiting, deletion.reset_nodes, self.fixture.dependencies, cluster)
        self.assertEqual("reset", self.order().phase)
        self.assertIsInstance(self.reconcile(), outcome.Settled)
        self.assertFalse(self.answer())

    def test_a_lost_worker_does_not_keep_its_cluster(self) -> None:
        self.db.nodes.observe(self.node.id, status=states.NodeStatus.DOWN)
        self.db.clusters.mark_deleting(self.cluster.id)
        cluster = self.db.clusters.observe(self.cluster.id, api_address="https://192.0.2.11:6443")
        self.assertRaises(outcome.Waiting, deletion.reset_nodes, self.fixture.dependencies, cluster)
        self.assertIsNotNone(self.now().cluster_id)
        self.leave(force=True)
        self.assertRaises(outcome.Waiting, deletion.reset_nodes, self.fixture.dependencies, cluster)
        self.assertEqual((None, "reset"), (self.now().cluster_id, self.order().phase))

    def test_a_member_and_a_control_node_cannot_be_deleted(self) -> None:
        for node in (self.node, self.control):
            self.assertRaises(errors.Conflict, self.db.nodes.mark_deleting, node.id)
        self.assertRaises(errors.Conflict, self.db.nodes.leave, self.control.id, self.cluster.id, force=True)


class LostClusterTest(WorkerCase):
    def setUp(self) -> None:
        super().setUp()
        self.cluster = self.db.clusters.observe(self.cluster.id, api_address="https://192.0.2.11:6443")

    def reconcile_cluster(self) -> outcome.Outcome:
        used = cluster_reconciler.ClusterReconciler(self.fixture.dependencies)
        return used.reconcile(self.cluster.id, conductor_fixture.never_lost())

    def test_it_is_deleted_with_its_namespaces_and_its_node_is_reset_later(self) -> None:
        namespace = builders.namespace(self.db, self.cluster.id)
        self.assertRaises(errors.Conflict, self.db.clusters.mark_deleting, self.cluster.id)
        self.assertRaises(errors.Conflict, self.db.clusters.mark_lost, self.cluster.id)
        self.db.nodes.observe(self.control.id, status=states.NodeStatus.DOWN)
        self.db.clusters.mark_lost(self.cluster.id)
        self.assertEqual(states.NamespaceStatus.DELETING, self.db.namespaces.get(namespace.id).status)
        self.assertIsInstance(self.reconcile_cluster(), outcome.Again)
        self.db.namespaces.delete(namespace.id)
        self.assertIsInstance(self.reconcile_cluster(), outcome.Settled)
        self.assertRaises(errors.NotFound, self.db.clusters.get, self.cluster.id)
        self.node = self.control
        self.assertEqual((None, "reset"), (self.now().cluster_id, self.order().phase))
        self.assertTrue(self.answer())
        self.assertIsNone(self.now().order)
