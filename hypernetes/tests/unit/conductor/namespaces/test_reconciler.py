# SPDX-License-Identifier: Apache-2.0
"""Namespaces come up and go down, whatever happens in between."""

import datetime

from lightkube.models import core_v1 as models
from lightkube.models import meta_v1 as meta
from lightkube.models import rbac_v1 as rbac_models
from lightkube.resources import core_v1 as core
from lightkube.resources import rbac_authorization_v1 as rbac

from hypernetes.conductor.engine import lease
from hypernetes.conductor.engine import outcome
from hypernetes.conductor.namespaces import reconciler
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.openstack import failures
from hypernetes.tests.support import conductor_fixture
from hypernetes.tests.support import database
from hypernetes.tests.support import namespace_case
from hypernetes.tests.support.fakes import fate as fates

ACTIVE = states.NamespaceStatus.ACTIVE
ERROR = states.NamespaceStatus.ERROR
CALLS_UP = 10
"""Calls that make something, on the way up: eight, and two of the many that apply."""
CALLS_DOWN = 8
"""Calls that unmake something, on the way down."""
MADE = ("router", "pool", "network", "subnet", "interface", "group")


class NamespaceTest(namespace_case.NamespaceCase):
    def counts(self) -> dict[str, int]:
        return {kind: len(self.neutron.all(kind)) for kind in MADE}

    def test_a_namespace_becomes_active_with_everything_recorded(self) -> None:
        namespace = self.make()
        self.settle(namespace)
        now = self.db.namespaces.get(namespace.id)
        self.assertIs(ACTIVE, now.status)
        for field in ("network_id", "subnet_id", "router_id", "security_group_id", "kubernetes_uid", "subnet_cidr"):
            self.assertIsNotNone(getattr(now, field), field)
        self.assertEqual(dict.fromkeys(MADE, 1), self.counts())

    def test_a_namespace_is_active_once_kubernetes_admits_pods(self) -> None:
        self.apiserver.makes_service_accounts = False
        namespace = self.make()
        self.assertIsInstance(self.reconcile(namespace), outcome.Again)
        now = self.db.namespaces.get(namespace.id)
        self.assertIs(states.NamespaceStatus.CREATING, now.status)
        self.assertIn("service account", now.status_reason or "")
        self.apiserver.make_service_account("web")
        self.settle(namespace)
        self.assertIs(ACTIVE, self.db.namespaces.get(namespace.id).status)

    def test_the_quota_bounds_cpu_and_memory_as_the_operator_says(self) -> None:
        self.fixture.conf.set_override("namespace_cpu", "8", group="kubernetes")
        namespace = self.make()
        self.settle(namespace)
        quota = self.apiserver.find(core.ResourceQuota, "hypernetes", "web")
        self.assertEqual(("8", "400Gi"), (quota.spec.hard["requests.cpu"], quota.spec.hard["requests.memory"]))
        self.assertEqual("200", quota.spec.hard["pods"])

    def readers(self) -> list[str]:
        """Return who is bound to the role of nodes in the namespace."""
        return [s.name for s in self.apiserver.find(rbac.RoleBinding, "hypernetes:node", "web").subjects]

    def test_nodes_with_pods_of_the_namespace_may_read_its_services(self) -> None:
        namespace = self.make()
        self.settle(namespace)
        self.assertEqual([], self.readers())
        nodes = [database.node(self.db, name) for name in ("node1", "node2")]
        for node in nodes:
            self.db.nodes.observe(node.id, cluster_id=namespace.cluster_id)
        database.port(self.db, namespace.id, nodes[1].id)
        self.settle(namespace)
        self.assertEqual(["system:node:node2"], self.readers())

    def test_a_second_look_changes_nothing(self) -> None:
        namespace = self.make()
        self.settle(namespace)
        before = self.db.namespaces.get(namespace.id)
        self.settle(namespace)
        self.assertEqual(before, self.db.namespaces.get(namespace.id))
        self.assertEqual(dict.fromkeys(MADE, 1), self.counts())

    def bind(self, name: str, *subjects: str) -> None:
        """Bind service accounts, written as namespace/name, in the namespace shop."""
        made = [rbac_models.Subject("ServiceAccount", s.split("/")[1], namespace=s.split("/")[0]) for s in subjects]
        role = rbac_models.RoleRef("rbac.authorization.k8s.io", "ClusterRole", "hypernetes:view")
        self.apiserver.create(
            rbac.RoleBinding(metadata=meta.ObjectMeta(name=name, namespace="shop"), roleRef=role, subjects=made)
        )

    def test_its_service_accounts_lose_what_they_hold_elsewhere_before_its_name_is_free(self) -> None:
        namespace = self.make()
        self.settle(namespace)
        self.bind("only", "web/a", "web/b")
        self.bind("both", "web/a", "shop/a")
        self.bind("none", "webs/a")
        self.db.namespaces.mark_deleting(namespace.id)
        self.settle(namespace)
        left = {
            b.metadata.name: [f"{s.namespace}/{s.name}" for s in b.subjects]
            for b in self.apiserver.list(rbac.RoleBinding)
        }
        self.assertEqual({"both": ["shop/a"], "none": ["webs/a"]}, left)

    def test_killed_at_any_call_it_comes_up_with_one_of_each(self) -> None:
        for after_effect in (False, True):
            for call in range(CALLS_UP):
                with self.subTest(call=call, after_effect=after_effect):
                    namespace = self.make(f"web-{call}-{int(after_effect)}")
                    self.assertTrue(self.settle_killed(namespace, call, after_effect))
                    self.assertIs(ACTIVE, self.db.namespaces.get(namespace.id).status)
                    self.assertEqual(dict.fromkeys(MADE, 1), self.counts())
                    self.db.namespaces.mark_deleting(namespace.id)
                    self.settle(namespace)
                    self.assertEqual({}, self.neutron.things)

    def test_killed_at_any_call_it_goes_down_without_a_trace(self) -> None:
        # Killed on the way up just after an effect that was not recorded and then deleted; or killed on the way down.
        for up_to, call in [(number, None) for number in range(CALLS_UP)] + [
            (99, number) for number in range(CALLS_DOWN)
        ]:
            with self.subTest(up_to=up_to, call=call):
                namespace = self.make(f"web-{up_to}-{call}")
                self.settle_killed(namespace, up_to, True, go_on=False)
                self.db.namespaces.mark_deleting(namespace.id)
                if call is None:
                    self.settle(namespace)
                else:
                    self.assertTrue(self.settle_killed(namespace, call, True))
                self.assertEqual({}, self.neutron.things)
                self.assertEqual(set(), self.neutron.members)
                self.assertEqual([], self.apiserver.list(core.Namespace))
                self.assertEqual((), self.db.namespaces.list())

    def settle_killed(self, namespace: records.Namespace, call: int, after_effect: bool, *, go_on: bool = True) -> bool:
        """Settle a namespace while the conductor is killed at a call and, perhaps, another goes on; if it was."""
        fate = self.fixture.fate
        fate.calls, fate.dies_at, fate.after_effect = 0, call, after_effect
        try:
            self.settle(namespace)
        except fates.Killed:
            restarted = self.fixture.restart()
            if go_on:
                self.settle(namespace, restarted)
            return True
        fate.dies_at = None
        return False

    def test_the_router_stays_while_the_project_has_another_namespace(self) -> None:
        one, two = self.make("one"), self.make("two")
        self.settle(one)
        self.settle(two)
        self.db.namespaces.mark_deleting(one.id)
        self.settle(one)
        self.assertEqual(dict.fromkeys(MADE, 1), self.counts())
        self.db.namespaces.mark_deleting(two.id)
        self.settle(two)
        self.assertEqual({}, self.neutron.things)
        self.assertEqual(set(), self.neutron.members)

    def test_killed_on_the_way_down_the_projects_next_namespace_comes_up_all_the_same(self) -> None:
        for call in range(CALLS_DOWN):
            with self.subTest(call=call):
                last = self.make(f"last-{call}")
                self.settle(last)
                self.db.namespaces.mark_deleting(last.id)
                self.settle_killed(last, call, True, go_on=False)
                following = self.make(f"next-{call}")
                self.settle(following, self.fixture.restart())
                self.assertIs(ACTIVE, self.db.namespaces.get(following.id).status)
                for namespace in (last, following):
                    self.db.namespaces.mark_deleting(namespace.id)
                    self.settle(namespace)
                self.assertEqual({}, self.neutron.things)

    def test_a_router_or_pool_that_a_tenant_deleted_is_made_again_for_the_next_namespace(self) -> None:
        old = self.make("old")
        self.settle(old)
        for kind in ("router", "pool"):
            with self.subTest(kind):
                (gone,) = self.neutron.all(kind)
                del self.neutron.things[gone["id"]]
                namespace = self.make(f"new-{kind}")
                self.settle(namespace)
                (made,) = self.neutron.all(kind)
                project = self.db.projects.get(database.RED)
                self.assertIn(made["id"], (project.router_id, project.subnet_pool_id))
        # Its audit attaches the old one to the new router.
        self.settle(old)
        self.assertEqual(self.db.projects.get(database.RED).router_id, self.db.namespaces.get(old.id).router_id)

    def test_a_security_group_that_the_tenant_deleted_is_made_again(self) -> None:
        namespace = self.make()
        self.settle(namespace)
        (gone,) = self.neutron.all("group")
        del self.neutron.things[gone["id"]]
        self.settle(namespace)
        (made,) = self.neutron.all("group")
        self.assertEqual(made["id"], self.db.namespaces.get(namespace.id).security_group_id)

    def test_pods_whose_ports_are_gone_in_neutron_are_named_until_they_are_deleted(self) -> None:
        namespace = self.make()
        self.settle(namespace)
        network = self.db.namespaces.get(namespace.id).network_id
        node = database.node(self.db)
        for name, made in (("a", True), ("b", False)):
            port = database.port(self.db, namespace.id, node.id, sandbox=name)
            there = self.neutron.make("port", port.id, project_id=database.RED, network_id=network, host="node1")
            self.db.ports.observe(
                port.id, neutron_port_id=there if made else "deleted-by-the-tenant", status=states.PortStatus.ACTIVE
            )
        self.settle(namespace)
        now = self.db.namespaces.get(namespace.id)
        self.assertIs(ACTIVE, now.status)
        self.assertIn("no network: web-0. Delete", now.status_reason or "")
        self.db.ports.mark_deleting(port.id)
        self.settle(namespace)
        self.assertIsNone(self.db.namespaces.get(namespace.id).status_reason)

    def test_a_router_that_is_in_use_stays_recorded_and_is_used_again(self) -> None:
        namespace = self.make()
        self.settle(namespace)
        router_id = self.db.projects.get(database.RED).router_id
        self.neutron.in_use.add(str(router_id))
        self.db.namespaces.mark_deleting(namespace.id)
        self.settle(namespace)
        self.assertEqual(router_id, self.db.projects.get(database.RED).router_id)
        self.assertIn(database.RED, self.neutron.members)
        self.settle(self.make("again"))
        self.assertEqual([router_id], [router["id"] for router in self.neutron.all("router")])

    def test_a_kubernetes_namespace_of_somebody_else_is_never_taken_over(self) -> None:
        theirs = self.apiserver.create(core.Namespace(metadata=meta.ObjectMeta(name="web")))
        namespace = self.make()
        self.assertIsInstance(self.reconcile(namespace), outcome.Failed)
        now = self.db.namespaces.get(namespace.id)
        self.assertIs(ERROR, now.status)
        self.assertIn("already taken", now.status_reason or "")
        self.db.namespaces.mark_deleting(namespace.id)
        self.settle(namespace)
        self.assertIs(theirs, self.apiserver.find(core.Namespace, "web"))

    def test_a_replaced_kubernetes_namespace_is_not_deleted(self) -> None:
        namespace = self.make()
        self.settle(namespace)
        self.apiserver.delete(core.Namespace, "web")
        theirs = self.apiserver.create(core.Namespace(metadata=meta.ObjectMeta(name="web")))
        self.assertIsInstance(self.reconcile(namespace), outcome.Failed)
        self.assertIs(ERROR, self.db.namespaces.get(namespace.id).status)
        self.db.namespaces.mark_deleting(namespace.id)
        self.settle(namespace)
        self.assertIs(theirs, self.apiserver.find(core.Namespace, "web"))

    def test_what_holds_up_the_end_is_the_reason(self) -> None:
        namespace = self.make()
        self.settle(namespace)
        held = self.apiserver.find(core.Namespace, "web")
        now = datetime.datetime.now(datetime.UTC)
        held.metadata.deletionTimestamp = now
        listed = (
            ("NamespaceContentRemaining", "True", "Some resources are remaining: pods. has 1 resource instances"),
            ("NamespaceFinalizersRemaining", "True", "x" * 1000),
            ("NamespaceDeletionContentFailure", "False", "All content successfully deleted"),
        )
        conditions = [models.NamespaceCondition(type=kind, status=on, message=text) for kind, on, text in listed]
        held.status = models.NamespaceStatus(conditions=conditions)
        self.db.namespaces.mark_deleting(namespace.id)
        self.assertIsInstance(self.reconcile(namespace), outcome.Again)
        self.assertNotIn("remaining", self.db.namespaces.get(namespace.id).status_reason or "")
        held.metadata.deletionTimestamp = now - datetime.timedelta(minutes=1)
        self.assertIsInstance(self.reconcile(namespace), outcome.Again)
        reason = self.db.namespaces.get(namespace.id).status_reason or ""
        self.assertIn("has 1 resource instances.", reason)
        self.assertNotIn("successfully", reason)
        self.assertLess(len(reason), 600)

    def test_finalizers_that_block_the_deletion_are_named_and_removed_in_the_end(self) -> None:
        namespace = self.make()
        self.settle(namespace)
        held = self.apiserver.find(core.Namespace, "web")
        self.apiserver.blocked["locked"] = {
            "name": "locked",
            "uid": "u-1",
            "deletionTimestamp": "2026-01-01T00:00:00Z",
            "finalizers": ["example.com/never"],
        }
        self.db.namespaces.mark_deleting(namespace.id)
        now = datetime.datetime.now(datetime.UTC)
        held.metadata.deletionTimestamp = now - datetime.timedelta(seconds=60)
        self.assertIsInstance(self.reconcile(namespace), outcome.Again)
        reason = self.db.namespaces.get(namespace.id).status_reason or ""
        self.assertIn("configmaps/locked (example.com/never)", reason)
        self.assertIn("300 s", reason)
        self.assertEqual(["example.com/never"], self.apiserver.blocked["locked"]["finalizers"])
        held.metadata.deletionTimestamp = now - datetime.timedelta(seconds=301)
        self.assertIsInstance(self.reconcile(namespace), outcome.Again)
        self.assertIsNone(self.apiserver.blocked["locked"]["finalizers"])

    def test_a_fault_of_ours_is_told_without_its_text_and_tried_again(self) -> None:
        namespace = self.make()
        self.neutron.refusal = RuntimeError("planted-secret")
        self.assertRaises(RuntimeError, self.reconcile, namespace)
        now = self.db.namespaces.get(namespace.id)
        self.assertIn("ask the operator", now.status_reason or "")
        self.assertNotIn("planted-secret", now.status_reason or "")
        self.neutron.refusal = None
        self.settle(namespace)
        now = self.db.namespaces.get(namespace.id)
        self.assertEqual((ACTIVE, None), (now.status, now.status_reason))

    def test_a_quota_is_the_reason_and_is_tried_again(self) -> None:
        namespace = self.make()
        self.neutron.refusal = errors.QuotaExceeded(reason="Quota exceeded for resources: ['network']")
        self.assertIsInstance(self.reconcile(namespace), outcome.Failed)
        now = self.db.namespaces.get(namespace.id)
        self.assertIs(ERROR, now.status)
        self.assertIn("['network']", now.status_reason or "")
        self.neutron.refusal = None
        self.settle(namespace)
        now = self.db.namespaces.get(namespace.id)
        self.assertEqual((ACTIVE, None), (now.status, now.status_reason))

    def test_an_outage_is_no_error_of_the_namespace(self) -> None:
        namespace = self.make()
        self.neutron.refusal = errors.Unavailable(service="Neutron", reason="ConnectTimeout")
        self.assertIsInstance(self.reconcile(namespace), outcome.Failed)
        now = self.db.namespaces.get(namespace.id)
        self.assertIs(states.NamespaceStatus.CREATING, now.status)
        self.assertIn("ConnectTimeout", now.status_reason or "")

    def test_a_membership_that_was_taken_away_is_granted_again(self) -> None:
        namespace = self.make()
        self.neutron.refusal = failures.NotAMember(service="Neutron", reason="401")
        self.reconcile(namespace)
        self.assertFalse(self.db.projects.get(database.RED).member_granted)
        self.neutron.refusal = None
        self.settle(namespace)
        self.assertIn(database.RED, self.neutron.members)

    def test_a_membership_taken_away_during_the_deletion_is_granted_again(self) -> None:
        for call in range(CALLS_DOWN):
            with self.subTest(call=call):
                namespace = self.make(f"web-{call}")
                self.settle(namespace)
                self.db.namespaces.mark_deleting(namespace.id)
                self.settle_killed(namespace, call, True, go_on=False)
                self.neutron.members.clear()
                self.settle(namespace, self.fixture.restart())
                self.assertEqual(({}, set()), (self.neutron.things, self.neutron.members))
                self.assertEqual((), self.db.namespaces.list())

    def test_a_project_that_lost_nothing_is_not_joined_to_delete_nothing(self) -> None:
        namespace = self.make()
        self.db.namespaces.mark_deleting(namespace.id)
        self.neutron.fate.calls = 0
        self.settle(namespace)
        # The one call gives up a membership that a killed run may have had.
        self.assertEqual(1, self.neutron.fate.calls)

    def test_ports_are_taken_back_before_the_network_goes(self) -> None:
        namespace = self.make()
        self.settle(namespace)
        node = database.node(self.db)
        port = database.port(self.db, namespace.id, node.id)
        self.db.namespaces.mark_deleting(namespace.id)
        self.reconcile(namespace)
        self.assertIsInstance(self.reconcile(namespace), outcome.Again)
        self.assertIs(states.PortStatus.DELETING, self.db.ports.get(port.id).status)
        self.assertIn(outcome.Key("port", port.id), self.fixture.woken)
        self.assertEqual(dict.fromkeys(MADE, 1), self.counts())
        self.db.ports.delete(port.id)
        self.settle(namespace)

    def test_what_was_made_twice_goes_too(self) -> None:
        namespace = self.make()
        self.settle(namespace)
        for kind in ("network", "subnet", "group"):
            self.neutron.make(kind, namespace.id, project_id=database.RED, network_id="any")
        for kind in ("router", "pool"):
            self.neutron.make(kind, database.RED, project_id=database.RED)
        self.db.namespaces.mark_deleting(namespace.id)
        self.settle(namespace)
        self.assertEqual({}, self.neutron.things)

    def test_a_port_on_its_network_that_no_record_names_goes_before_the_network(self) -> None:
        network = self.neutron.make("network", "theirs", project_id=database.RED)
        self.neutron.make("subnet", "theirs", project_id=database.RED, network_id=network)
        going, staying = (self.make(name, requested_network_id=network) for name in ("going", "staying"))
        for namespace in (going, staying):
            self.settle(namespace)
        node = database.node(self.db)
        living = database.port(self.db, staying.id, node.id)
        fields = {"project_id": database.RED, "host": node.name}
        stray = self.neutron.make("port", ids.new_uuid(), network_id=network, **fields)
        kept = [
            self.neutron.make("port", living.id, network_id=network, **fields),
            self.neutron.make("port", ids.new_uuid(), network_id="another", **fields),
        ]
        self.db.namespaces.mark_deleting(going.id)
        self.settle(going)
        self.assertNotIn(stray, self.neutron.things)
        self.assertEqual(kept, [port["id"] for port in self.neutron.all("port")])

    def test_a_lost_lease_ends_the_work_before_the_next_step(self) -> None:
        namespace = self.make()
        lost = conductor_fixture.never_lost()
        lost.lose()
        used = reconciler.NamespaceReconciler(self.fixture.dependencies)
        self.assertRaises(lease.LeaseLost, used.reconcile, namespace.id, lost)
        self.assertEqual({}, self.neutron.things)

    def test_a_namespace_that_is_gone_is_settled(self) -> None:
        used = reconciler.NamespaceReconciler(self.fixture.dependencies)
        self.assertIsInstance(used.reconcile(ids.new_uuid(), conductor_fixture.never_lost()), outcome.Settled)
