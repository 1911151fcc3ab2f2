# SPDX-License-Identifier: Apache-2.0
"""Clusters: phases in order, each result counted once, failures that name the phase and the remedy."""

import datetime
from pathlib import Path

import fixtures
import testtools
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from lightkube.models import core_v1 as models
from lightkube.models import meta_v1 as meta
from lightkube.resources import core_v1 as core
from lightkube.resources import flowcontrol_apiserver_v1 as flow

from hypernetes.conductor import orders
from hypernetes.conductor.clusters import keys
from hypernetes.conductor.clusters import progress
from hypernetes.conductor.clusters import reconciler
from hypernetes.conductor.engine import outcome
from hypernetes.conductor.nodes import heartbeats
from hypernetes.conductor.rpc import for_agents
from hypernetes.kubernetes.bootstrap import phases
from hypernetes.kubernetes.objects import flowcontrol
from hypernetes.model import ids
from hypernetes.model import labels
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.rpc import messages
from hypernetes.tests.support import conductor_fixture
from hypernetes.tests.support import database

CREATING = states.ClusterStatus.CREATING
NODE_PHASES = [phase.name for phase in phases.PHASES if phase.where is phases.Where.NODE]


def sign(csr_pem: str, begins: datetime.datetime | None = None, ends: datetime.datetime | None = None) -> str:
    """A certificate for the key of a CSR, as a control node signs it; for a day from now by default."""
    request = x509.load_pem_x509_csr(csr_pem.encode())
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(request.subject).issuer_name(request.subject)
    builder = builder.public_key(request.public_key()).serial_number(1)
    builder = builder.not_valid_before(begins or now).not_valid_after(ends or now + datetime.timedelta(days=1))
    certificate = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


class ClusterTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.fixture = self.useFixture(conductor_fixture.ConductorFixture())
        self.db = self.fixture.database
        authority = Path(self.useFixture(fixtures.TempDir()).path) / "ca.crt"
        authority.write_text("the webhook's authority")
        self.fixture.conf.set_override("webhook_url", "https://192.0.2.1:9519", group="kubernetes")
        self.fixture.conf.set_override("webhook_ca_file", str(authority), group="kubernetes")
        made = database.node(self.db, "node1")
        self.db.nodes.observe(made.id, token_hash="7" * 64)
        self.node_id = made.id
        self.beat()
        self.cluster = database.cluster(self.db, status=CREATING, nodes=(made.id,))

    def beat(self) -> None:
        report = records.NodeReport(self.node_id, "192.0.2.11", "1", "boot")
        self.db.nodes.heartbeat_many([report])

    def reconcile(self) -> outcome.Outcome:
        return reconciler.ClusterReconciler(self.fixture.dependencies).reconcile(
            self.cluster.id, conductor_fixture.never_lost()
        )

    def order(self) -> messages.PhaseOrder:
        order = orders.decode(self.db.nodes.get(self.node_id).order)
        assert order is not None
        return order

    def answer(
        self, order: messages.PhaseOrder, outputs: dict[str, str] | None = None, *, ok: bool = True, message: str = ""
    ) -> None:
        result = messages.PhaseResult(messages.Caller("n", "t"), order.order_id, ok, message, outputs or {})
        node = self.db.nodes.get(self.node_id)
        endpoint = for_agents.AgentsEndpoint(
            self.fixture.dependencies, heartbeats.Heartbeats(self.fixture.dependencies)
        )
        with fixtures.MonkeyPatch("hypernetes.conductor.rpc.caller.Callers.verify", lambda *_: node):
            endpoint.phase_result(result)

    def now(self) -> records.Cluster:
        return self.db.clusters.get(self.cluster.id)

    def carry_out(self, up_to: str | None = None) -> list[str]:
        """Play the node until the phase ``up_to`` is ordered, or to the last one; the phases carried out."""
        done: list[str] = []
        while self.now().status is CREATING:
            self.reconcile()
            if self.db.nodes.get(self.node_id).order is None:
                break
            order = self.order()
            if order.phase == up_to:
                break
            done.append(order.phase)
            outputs: dict[str, str] = {}
            if order.phase == "sign-client":
                outputs = {
                    "client_certificate": sign(order.inputs["client.csr"]),
                    "ca_certificate": "ca",
                    "api_address": "https://192.0.2.11:6443",
                }
            self.answer(order, outputs)
        return done

    def make_ready_node(self) -> None:
        ready = models.NodeCondition(type="Ready", status="True")
        status = models.NodeStatus(conditions=[ready])
        self.fixture.apiserver.apiserver.create(core.Node(metadata=meta.ObjectMeta(name="node1"), status=status))

    def test_every_phase_is_ordered_once_and_in_order(self) -> None:
        self.make_ready_node()
        self.assertEqual(NODE_PHASES, self.carry_out())
        self.reconcile()
        now = self.now()
        self.assertEqual((states.ClusterStatus.ACTIVE, None, None), (now.status, now.phase, now.status_reason))
        self.assertEqual("https://192.0.2.11:6443", now.api_address)
        self.assertTrue(self.fixture.apiserver.apiserver.objects)

    def test_a_cluster_keeps_the_name_it_began_with(self) -> None:
        self.carry_out(up_to="prepare")
        inputs = self.order().inputs
        self.assertEqual("demo.hypernetes.internal", self.now().endpoint)
        self.assertIn("controlPlaneEndpoint: demo.hypernetes.internal:6443", inputs["kubeadm.yaml"])
        self.assertEqual(("demo.hypernetes.internal", "192.0.2.11"), (inputs["api_host"], inputs["api_host_address"]))
        self.fixture.conf.set_override("api_domain", "k8s.example.org", group="kubernetes")
        self.carry_out(up_to="certs")
        self.assertIn("controlPlaneEndpoint: demo.hypernetes.internal:6443", self.order().inputs["kubeadm.yaml"])

    def test_with_a_domain_of_the_operator_users_get_the_name_and_nodes_no_hosts_file(self) -> None:
        self.fixture.conf.set_override("api_domain", "k8s.example.org", group="kubernetes")
        self.carry_out(up_to="prepare")
        self.assertNotIn("api_host", self.order().inputs)
        self._activate()
        self.assertEqual("https://demo.k8s.example.org:6443", self.now().api_address)

    def _activate(self) -> None:
        self.make_ready_node()
        self.carry_out()
        self.reconcile()

    def test_a_database_that_fills_up_is_reported_until_it_does_not(self) -> None:
        self._activate()
        apiserver = self.fixture.apiserver.apiserver
        apiserver.database_bytes = 7 << 30
        self.reconcile()
        reason = self.now().status_reason or ""
        self.assertIn("etcd's database takes 7.00 GiB of 8.00 GiB", reason)
        self.assertEqual(states.ClusterStatus.ACTIVE, self.now().status)
        (event,) = apiserver.list(core.Event)
        self.assertEqual(("etcd-node1", reason), (event.involvedObject.name, event.message))
        apiserver.database_bytes = 1 << 30
        self.reconcile()
        self.assertIsNone(self.now().status_reason)

    def test_the_flows_of_projects_without_a_namespace_are_deleted(self) -> None:
        self._activate()
        apiserver = self.fixture.apiserver.apiserver
        for schema in flowcontrol.project_schemas(ids.ProjectId("gone"), [], flowcontrol.LANES[0]):
            apiserver.apply(schema)
        apiserver.apply(flowcontrol.lane_level(flowcontrol.LANES[9], 5))
        namespace = database.namespace(self.db, self.cluster.id)
        self.reconcile()
        projects = [s.metadata.labels.get(labels.PROJECT) for s in apiserver.list(flow.FlowSchema)]
        self.assertEqual([namespace.project_id] * 2, [project for project in projects if project])
        levels = {level.metadata.name for level in apiserver.list(flow.PriorityLevelConfiguration)}
        self.assertEqual([flowcontrol.LANES[0]], sorted(levels.intersection(flowcontrol.LANES)))

    def test_no_order_holds_a_secret(self) -> None:
        self.carry_out()
        for _, order in self.fixture.agents.orders:
            for text in order.inputs.values():
                self.assertNotIn("PRIVATE KEY", text)

    def test_an_order_stays_the_same_until_it_is_answered(self) -> None:
        self.reconcile()
        first = self.order()
        self.reconcile()
        self.assertEqual(first, self.order())
        self.assertEqual(2, len(self.fixture.agents.orders))

    def test_a_result_reported_twice_counts_once(self) -> None:
        self.reconcile()
        order = self.order()
        self.answer(order)
        self.answer(order)
        self.assertEqual(phases.PHASES[1].name, self.now().phase)

    def test_killed_between_the_cluster_and_the_order_it_goes_on(self) -> None:
        self.reconcile()
        progress.advance(self.fixture.dependencies, self.now(), phases.PHASES[0])
        stale = self.order()
        self.reconcile()
        self.assertEqual(phases.PHASES[1].name, self.order().phase)
        self.answer(stale)
        self.assertEqual(phases.PHASES[1].name, self.now().phase)

    def test_a_failure_names_phase_and_remedy_and_a_retry_resumes_there(self) -> None:
        self.carry_out(up_to="etcd")
        self.answer(self.order(), ok=False, message="the disk is full.")
        now = self.now()
        self.assertIs(states.ClusterStatus.ERROR, now.status)
        self.assertIn("Phase etcd failed on node node1: the disk is full.", now.status_reason or "")
        self.assertIn(phases.get_phase("etcd").remedy, now.status_reason or "")
        self.assertIsInstance(self.reconcile(), outcome.Settled)
        self.db.clusters.retry(self.cluster.id)
        self.reconcile()
        self.assertEqual("etcd", self.order().phase)

    def test_a_certificate_for_another_key_is_refused(self) -> None:
        self.carry_out(up_to="sign-client")
        foreign = sign(keys.signing_request(keys.new_private_key()))
        outputs = {"client_certificate": foreign, "ca_certificate": "c", "api_address": "https://a"}
        self.answer(self.order(), outputs)
        self.assertIs(states.ClusterStatus.ERROR, self.now().status)
        self.assertIn("not for the conductor's key", self.now().status_reason or "")
        self.assertIsNone(self.now().client_certificate)

    def test_the_private_key_is_stored_encrypted_before_it_is_signed(self) -> None:
        self.carry_out(up_to="sign-client")
        stored = self.now().client_key_encrypted or ""
        self.assertNotIn("PRIVATE", stored)
        self.assertIn("PRIVATE KEY", self.fixture.dependencies.keys.decrypt(stored))

    def test_a_silent_node_is_waited_for(self) -> None:
        self.db.nodes.observe(self.node_id, status=states.NodeStatus.DOWN)
        self.assertIsInstance(self.reconcile(), outcome.Again)
        self.assertIn("node1, which is DOWN", self.now().status_reason or "")
        self.assertIsNone(self.db.nodes.get(self.node_id).order)

    def test_a_missing_webhook_url_is_told(self) -> None:
        self.fixture.conf.clear_override("webhook_url", group="kubernetes")
        self.reconcile()
        self.assertIs(states.ClusterStatus.ERROR, self.now().status)
        self.assertIn("webhook_url", self.now().status_reason or "")

    def test_a_node_that_is_not_ready_is_waited_for(self) -> None:
        self.carry_out()
        self.assertIsInstance(self.reconcile(), outcome.Again)
        self.assertIn("not Ready yet", self.now().status_reason or "")

    def test_deletion_resets_the_node_and_then_forgets(self) -> None:
        self.make_ready_node()
        self.carry_out()
        self.reconcile()
        self.db.clusters.mark_deleting(self.cluster.id)
        self.reconcile()
        order = self.order()
        self.assertEqual("reset", order.phase)
        self.answer(order, ok=False, message="a mount is busy")
        self.assertIn("a mount is busy", self.now().status_reason or "")
        self.reconcile()
        self.answer(self.order())
        self.assertIsInstance(self.reconcile(), outcome.Settled)
        self.assertEqual((), self.db.clusters.list())
        self.assertIsNone(self.db.nodes.get(self.node_id).cluster_id)

    def test_a_node_that_never_enrolled_keeps_no_cluster_from_being_deleted(self) -> None:
        self.db.nodes.observe(self.node_id, token_hash=None, status=states.NodeStatus.ENROLLING)
        self.reconcile()
        self.assertIn("which is ENROLLING", self.now().status_reason or "")
        self.db.clusters.mark_deleting(self.cluster.id)
        self.assertIsInstance(self.reconcile(), outcome.Settled)
        self.assertEqual((), self.db.clusters.list())
        self.assertIsNone(self.db.nodes.get(self.node_id).cluster_id)

    def test_a_cluster_that_was_never_begun_is_forgotten_at_once(self) -> None:
        self.db.clusters.mark_deleting(self.cluster.id)
        self.assertIsInstance(self.reconcile(), outcome.Settled)
        self.assertEqual((), self.db.clusters.list())

    def activate(self, days_left: int) -> None:
        """An ACTIVE cluster whose certificates, valid for a year, have so many days left."""
        if self.now().status is CREATING:
            self.make_ready_node()
            self.carry_out()
        key = self.fixture.dependencies.keys.decrypt(self.now().client_key_encrypted or "")
        csr = keys.signing_request(key)
        ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days_left)
        self.db.clusters.observe(self.cluster.id, client_certificate=sign(csr, ends - datetime.timedelta(365), ends))
        self.assertIs(states.ClusterStatus.ACTIVE, self.now().status)

    def test_certificates_are_renewed_when_a_third_of_their_life_is_left(self) -> None:
        self.activate(days_left=123)
        self.reconcile()
        self.assertIsNone(self.db.nodes.get(self.node_id).order)
        self.activate(days_left=121)
        self.reconcile()
        order = self.order()
        self.assertEqual("renew-control-plane", order.phase)
        self.assertNotIn("PRIVATE", str(order.inputs))
        self.reconcile()
        self.assertEqual(order.order_id, self.order().order_id)
        before = self.now()
        outputs = {"ca_certificate": "ca", "api_address": "https://192.0.2.11:6443"}
        self.answer(order, outputs | {"client_certificate": sign(order.inputs["client.csr"])})
        now = self.now()
        self.assertNotEqual(before.client_certificate, now.client_certificate)
        self.assertEqual(before.client_key_encrypted, now.client_key_encrypted)
        self.assertIsNone(self.db.nodes.get(self.node_id).order)

    def test_a_renewal_that_failed_is_reported_and_ordered_again(self) -> None:
        self.activate(days_left=1)
        self.reconcile()
        order = self.order()
        self.answer(order, ok=False, message="no space left")
        self.assertIs(states.ClusterStatus.ACTIVE, self.now().status)
        self.assertIn("no space left", self.now().status_reason or "")
        self.reconcile()
        self.assertEqual("renew-control-plane", self.order().phase)
        self.assertNotEqual(order.order_id, self.order().order_id)

    def test_results_of_a_cluster_that_is_gone_clear_the_order(self) -> None:
        order = messages.PhaseOrder("o", ids.new_uuid(), "certs")
        self.db.nodes.observe(self.node_id, order=orders.encode(order))
        self.answer(order)
        self.assertIsNone(self.db.nodes.get(self.node_id).order)
