# SPDX-License-Identifier: Apache-2.0
"""What every database must do: run on SQLite by the unit tests and on MariaDB by the functional ones."""

import dataclasses
import datetime

import testtools

from hypernetes.db import api
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.tests.support import database as builders

HASH = "5" * 64
TOKEN = "7" * 64
ANOTHER_TOKEN = "8" * 64


class RecordContract(testtools.TestCase):
    """Reading, paging, intent, observation."""

    database: api.Database

    def test_a_record_comes_back_as_it_was_written(self) -> None:
        made = builders.node(self.database)
        self.assertEqual(made, self.database.nodes.get(made.id))
        self.assertEqual(datetime.UTC, made.created_at.tzinfo if made.created_at else None)

    def test_an_unknown_id_is_not_found(self) -> None:
        self.assertRaises(errors.NotFound, self.database.nodes.get, ids.new_uuid())

    def test_ids_are_compared_exactly(self) -> None:
        cluster = builders.cluster(self.database)
        made = builders.namespace(self.database, cluster.id, project_id=ids.ProjectId("a1"))
        self.assertRaises(errors.NotFound, self.database.namespaces.get_in_project, made.id, "A1")

    def test_pages_neither_repeat_nor_skip(self) -> None:
        made = [builders.node(self.database, f"node{number}").id for number in range(7)]
        seen: list[str] = []
        marker = None
        while page := self.database.nodes.list(marker=marker, limit=3):
            seen += [record.id for record in page]
            marker = page[-1].id
        self.assertEqual(sorted(made), sorted(seen))

    def test_a_marker_of_another_list_is_refused(self) -> None:
        cluster = builders.cluster(self.database)
        foreign = builders.namespace(self.database, cluster.id, project_id=builders.BLUE)
        self.assertRaises(errors.BadRequest, self.database.namespaces.list, marker=foreign.id, project_id=builders.RED)

    def test_a_filter_of_several_values_is_met_by_any(self) -> None:
        one = builders.cluster(self.database, "one", states.ClusterStatus.CREATING)
        builders.cluster(self.database, "two", states.ClusterStatus.ERROR)
        found = self.database.clusters.list(status=(states.ClusterStatus.CREATING, states.ClusterStatus.ACTIVE))
        self.assertEqual([one.id], [record.id for record in found])

    def test_records_are_counted_by_a_field(self) -> None:
        cluster = builders.cluster(self.database)
        node = builders.node(self.database)
        web, shop = (builders.namespace(self.database, cluster.id, name) for name in ("web", "shop"))
        for number, namespace in enumerate((web, web, shop)):
            builders.port(self.database, namespace.id, node.id, str(number) * 64)
        gone = self.database.ports.list(namespace_id=web.id)[0]
        self.database.ports.mark_deleting(gone.id)
        count = self.database.ports.count_by
        creating, deleting = states.PortStatus.CREATING, states.PortStatus.DELETING
        self.assertEqual({creating: 2, deleting: 1}, count("status"))
        self.assertEqual({creating: 1, deleting: 1}, count("status", namespace_id=[web.id]))
        self.assertEqual({}, count("status", namespace_id=[]))

    def test_a_change_of_intent_keeps_what_was_observed_and_increments_the_generation(self) -> None:
        read = builders.namespace(self.database, builders.cluster(self.database).id)
        network = ids.new_uuid()
        self.database.namespaces.observe(read.id, network_id=network)
        changed = self.database.namespaces.change(read.id, lambda _, record: dataclasses.replace(record, name="shop"))
        self.assertEqual((network, read.generation + 1), (changed.network_id, changed.generation))
        self.assertEqual(changed, self.database.namespaces.get(read.id))

    def test_a_change_that_changes_nothing_keeps_the_generation(self) -> None:
        read = builders.namespace(self.database, builders.cluster(self.database).id)
        self.assertEqual(read, self.database.namespaces.change(read.id, lambda _, record: record))
        deleting = self.database.namespaces.mark_deleting(read.id)
        self.assertEqual(read.generation + 1, deleting.generation)
        self.assertEqual(deleting, self.database.namespaces.mark_deleting(read.id))

    def test_a_change_that_is_refused_changes_nothing(self) -> None:
        read = builders.namespace(self.database, builders.cluster(self.database).id)

        def refuse(_session: object, record: records.Namespace) -> records.Namespace:
            raise errors.Conflict(kind=kinds.Kind.NAMESPACE, id=record.id, reason="no")

        self.assertRaises(errors.Conflict, self.database.namespaces.change, read.id, refuse)
        self.assertEqual(read, self.database.namespaces.get(read.id))
        self.assertRaises(errors.NotFound, self.database.namespaces.change, ids.new_uuid(), refuse)

    def test_the_deletion_of_every_aggregate_is_a_change_of_intent(self) -> None:
        cluster = builders.cluster(self.database)
        node = builders.node(self.database)
        namespace = builders.namespace(self.database, cluster.id)
        port = builders.port(self.database, namespace.id, node.id)
        spare = builders.cluster(self.database, "spare")
        for repository, made in (
            (self.database.ports, port),
            (self.database.namespaces, namespace),
            (self.database.nodes, node),
            (self.database.clusters, spare),
        ):
            deleted = repository.mark_deleting(made.id)
            self.assertEqual(("DELETING", made.generation + 1), (deleted.status, deleted.generation))

    def test_an_observation_of_an_older_intent_is_stale(self) -> None:
        read = builders.namespace(self.database, builders.cluster(self.database).id)
        observe = self.database.namespaces.observe
        observe(read.id, expect=read.generation, network_id=None)
        self.database.namespaces.change(read.id, lambda _, record: dataclasses.replace(record, requested_cidr="x"))
        self.assertRaises(errors.StaleGeneration, observe, read.id, expect=read.generation, network_id=None)

    def test_nothing_observed_brings_a_deleted_object_back(self) -> None:
        read = builders.namespace(self.database, builders.cluster(self.database).id)
        self.database.namespaces.mark_deleting(read.id)
        self.assertRaises(
            errors.StaleGeneration,
            self.database.namespaces.observe,
            read.id,
            status=states.NamespaceStatus.ACTIVE,
        )
        self.database.namespaces.observe(read.id, status_reason="Two ports are left.")

    def test_an_unknown_observation_is_a_mistake_of_the_program(self) -> None:
        read = builders.namespace(self.database, builders.cluster(self.database).id)
        self.assertRaises(ValueError, self.database.namespaces.observe, read.id, generation=9)

    def test_an_id_or_a_name_finds_the_record(self) -> None:
        made = builders.node(self.database)
        self.assertEqual([made, made], [self.database.nodes.resolve(word) for word in (made.id, made.name)])
        self.assertRaises(errors.NotFound, self.database.nodes.resolve, "nowhere")
        namespace = builders.namespace(self.database, builders.cluster(self.database).id)
        self.assertEqual(namespace, self.database.namespaces.get_by_name(namespace.cluster_id, namespace.name))
        self.assertRaises(errors.NotFound, self.database.namespaces.get_by_name, ids.new_uuid(), namespace.name)


class AggregateContract(testtools.TestCase):
    """What one aggregate demands of another."""

    database: api.Database

    def test_a_namespace_name_exists_once_in_a_cluster_whoever_asks(self) -> None:
        cluster = builders.cluster(self.database)
        builders.namespace(self.database, cluster.id, "web", builders.RED)
        self.assertRaises(errors.NameTaken, builders.namespace, self.database, cluster.id, "web", builders.BLUE)
        other = builders.cluster(self.database, "other")
        builders.namespace(self.database, other.id, "web", builders.BLUE)

    def test_a_foreign_namespace_is_not_found(self) -> None:
        made = builders.namespace(self.database, builders.cluster(self.database).id)
        self.assertRaises(errors.NotFound, self.database.namespaces.get_in_project, made.id, builders.BLUE)

    def test_a_cluster_that_is_not_active_takes_no_namespace(self) -> None:
        cluster = builders.cluster(self.database, status=states.ClusterStatus.CREATING)
        self.assertRaises(errors.Conflict, builders.namespace, self.database, cluster.id)

    def test_a_cluster_with_namespaces_stays(self) -> None:
        cluster = builders.cluster(self.database)
        builders.namespace(self.database, cluster.id)
        self.assertRaises(errors.Conflict, self.database.clusters.mark_deleting, cluster.id)
        self.assertRaises(errors.Conflict, self.database.clusters.delete, cluster.id)

    def test_a_node_serves_one_cluster(self) -> None:
        node = builders.node(self.database)
        cluster = builders.cluster(self.database, nodes=(node.id,))
        self.assertEqual((node.id,), self.database.clusters.get(cluster.id).control_node_ids)
        self.assertRaises(errors.Conflict, builders.cluster, self.database, "second", nodes=(node.id,))

    def test_a_control_node_stays_until_its_cluster_is_gone(self) -> None:
        node = builders.node(self.database)
        cluster = builders.cluster(self.database, nodes=(node.id,))
        self.assertRaises(errors.Conflict, self.database.nodes.mark_deleting, node.id)
        self.database.clusters.mark_deleting(cluster.id)
        self.database.clusters.delete(cluster.id)
        self.assertIsNone(self.database.nodes.get(node.id).cluster_id)
        self.database.nodes.mark_deleting(node.id)
        self.database.nodes.delete(node.id)

    def test_only_a_failed_bootstrap_is_retried(self) -> None:
        cluster = builders.cluster(self.database, status=states.ClusterStatus.CREATING)
        self.assertRaises(errors.Conflict, self.database.clusters.retry, cluster.id)
        self.database.clusters.observe(cluster.id, status=states.ClusterStatus.ERROR, status_reason="x", phase="etcd")
        again = self.database.clusters.retry(cluster.id)
        self.assertEqual(
            (states.ClusterStatus.CREATING, None, "etcd"), (again.status, again.status_reason, again.phase)
        )

    def test_a_sandbox_has_one_port(self) -> None:
        node = builders.node(self.database)
        namespace = builders.namespace(self.database, builders.cluster(self.database).id)
        made = builders.port(self.database, namespace.id, node.id)
        self.assertRaises(errors.Conflict, builders.port, self.database, namespace.id, node.id)
        self.assertEqual(made, self.database.ports.find_by_sandbox(made.sandbox_id))
        self.assertEqual((made,), self.database.ports.list(node_id=node.id))
        self.assertEqual((made,), self.database.ports.list(namespace_id=namespace.id))
        self.assertIsNone(self.database.ports.find_by_sandbox("1" * 64))

    def test_a_project_is_made_once(self) -> None:
        made = self.database.projects.ensure(builders.RED)
        self.database.projects.observe(builders.RED, member_granted=True)
        self.assertEqual(dataclasses.replace(made, member_granted=True), self.database.projects.ensure(builders.RED))
        self.assertEqual(1, len(self.database.projects.list()))


class NodeContract(testtools.TestCase):
    """Enrollment and heartbeats."""

    database: api.Database

    def test_a_node_enrolls_again_with_the_same_token_only(self) -> None:
        node = builders.node(self.database)
        self.database.nodes.enroll(node.id, secret_hash=HASH, token_hash=TOKEN)
        self.database.nodes.enroll(node.id, secret_hash=HASH, token_hash=TOKEN)
        self.assertRaises(
            errors.Unauthenticated, self.database.nodes.enroll, node.id, secret_hash=HASH, token_hash=ANOTHER_TOKEN
        )

    def test_an_expired_secret_is_refused(self) -> None:
        past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=5)
        node = builders.node(self.database, secret_expires_at=past)
        self.assertRaises(
            errors.Unauthenticated, self.database.nodes.enroll, node.id, secret_hash=HASH, token_hash=TOKEN
        )

    def test_a_deleted_nodes_token_is_worthless_at_once(self) -> None:
        node = builders.node(self.database)
        self.database.nodes.enroll(node.id, secret_hash=HASH, token_hash=TOKEN)
        self.assertIsNone(self.database.nodes.mark_deleting(node.id).token_hash)
        self.assertRaises(
            errors.Unauthenticated, self.database.nodes.enroll, node.id, secret_hash=HASH, token_hash=TOKEN
        )

    def test_a_node_is_disabled_and_enabled_unless_it_is_being_deleted(self) -> None:
        made = builders.node(self.database)
        self.assertEqual((False, None, False), (made.disabled, made.disabled_reason, made.cordoned))
        disabled = self.database.nodes.set_disabled(made.id, "new memory")
        self.assertEqual((True, "new memory", 2), (disabled.disabled, disabled.disabled_reason, disabled.generation))
        self.assertEqual(disabled, self.database.nodes.set_disabled(made.id, "new memory"))
        enabled = self.database.nodes.set_enabled(made.id)
        self.assertEqual((False, None, 3), (enabled.disabled, enabled.disabled_reason, enabled.generation))
        self.database.nodes.mark_deleting(made.id)
        self.assertRaises(errors.Conflict, self.database.nodes.set_disabled, made.id, None)
        self.assertRaises(errors.NotFound, self.database.nodes.set_enabled, ids.new_uuid())

    def test_a_node_joins_one_active_cluster_and_leaves_it(self) -> None:
        nodes, node = self.database.nodes, builders.node(self.database)
        first = builders.cluster(self.database)
        second = builders.cluster(self.database, "second")
        waiting = builders.cluster(self.database, "third", states.ClusterStatus.CREATING)
        self.assertRaises(errors.Conflict, nodes.join, node.id, waiting.id)
        self.assertRaises(errors.NotFound, nodes.join, node.id, ids.ClusterId(ids.new_uuid()))
        joined = nodes.join(node.id, first.id)
        self.assertEqual((first.id, states.Membership.PREPARING), (joined.cluster_id, joined.membership))
        self.assertEqual(joined, nodes.join(node.id, first.id))
        self.assertRaises(errors.Conflict, nodes.join, node.id, second.id)
        self.assertRaises(errors.NotFound, nodes.leave, node.id, second.id, force=True)
        self.assertRaises(errors.Conflict, nodes.mark_deleting, node.id)
        leaving = nodes.leave(node.id, first.id, force=False)
        self.assertEqual(states.Membership.DRAINING, leaving.membership)
        self.assertEqual(leaving, nodes.leave(node.id, first.id, force=False))
        self.assertRaises(errors.Conflict, nodes.join, node.id, first.id)
        self.assertEqual(states.Membership.LOST, nodes.leave(node.id, first.id, force=True).membership)
        nodes.observe(node.id, order="reset")
        self.assertIsNone(nodes.release(node.id).cluster_id)
        self.assertRaises(errors.Conflict, nodes.join, node.id, first.id)
        nodes.clear_order(node.id, "another")
        self.assertEqual("reset", nodes.get(node.id).order)
        nodes.clear_order(node.id, "reset")
        self.assertEqual(second.id, nodes.join(node.id, second.id).cluster_id)

    def test_a_lost_cluster_takes_its_namespaces_along(self) -> None:
        node = builders.node(self.database, status=states.NodeStatus.UP)
        cluster = builders.cluster(self.database, nodes=(node.id,))
        namespace = builders.namespace(self.database, cluster.id)
        other = builders.namespace(self.database, builders.cluster(self.database, "second").id)
        self.assertRaises(errors.Conflict, self.database.clusters.mark_lost, cluster.id)
        self.database.nodes.observe(node.id, status=states.NodeStatus.DOWN)
        lost = self.database.clusters.mark_lost(cluster.id)
        self.assertEqual((states.ClusterStatus.DELETING, True), (lost.status, lost.lost))
        self.assertEqual(lost, self.database.clusters.mark_lost(cluster.id))
        after = self.database.namespaces.get(namespace.id)
        self.assertEqual((states.NamespaceStatus.DELETING, 2), (after.status, after.generation))
        self.assertEqual(other, self.database.namespaces.get(other.id))

    def _cordon_pending(self) -> list[str]:
        return [node.id for node in self.database.nodes.list_cordon_pending()]

    def test_a_cordon_is_pending_until_it_is_as_the_operator_wants_it(self) -> None:
        made = builders.node(self.database)
        self.database.nodes.set_disabled(made.id, None)
        self.assertEqual((), self.database.nodes.list_cordon_pending())
        cluster = builders.cluster(self.database, nodes=(made.id,))
        self.assertEqual([made.id], self._cordon_pending())
        self.database.nodes.observe(made.id, cordoned=True)
        self.assertEqual([], self._cordon_pending())
        self.database.nodes.set_enabled(made.id)
        self.assertEqual([made.id], self._cordon_pending())
        self.database.clusters.delete(cluster.id)
        self.assertEqual([], self._cordon_pending())
        self.assertFalse(self.database.nodes.get(made.id).cordoned)

    def test_failures_are_counted_for_a_window(self) -> None:
        node = builders.node(self.database)
        for _ in range(3):
            self.database.nodes.record_enrollment_failure(node.id, window=60)
        self.assertEqual(3, self.database.nodes.count_enrollment_failures(node.id))
        other = builders.node(self.database, "node2")
        self.database.nodes.record_enrollment_failure(other.id, window=-1)
        self.assertEqual(0, self.database.nodes.count_enrollment_failures(other.id))

    def test_a_batch_of_reports_reaches_each_node_and_no_other(self) -> None:
        nodes = [builders.node(self.database, f"node{number}") for number in range(3)]
        for node in nodes:
            self.database.nodes.enroll(node.id, secret_hash=HASH, token_hash=TOKEN)
        self.database.nodes.heartbeat_many(
            [
                records.NodeReport(node.id, f"198.51.100.{position}", "1.0", "b")
                for position, node in enumerate(nodes[:2])
            ]
        )
        after = [self.database.nodes.get(node.id) for node in nodes]
        self.assertEqual(["198.51.100.0", "198.51.100.1", None], [node.address for node in after])
        up, enrolling = states.NodeStatus.UP, states.NodeStatus.ENROLLING
        self.assertEqual([up, up, enrolling], [node.status for node in after])

    def test_the_problem_of_each_node_is_its_status_reason_until_it_is_over(self) -> None:
        nodes = [builders.node(self.database, f"node{number}") for number in range(2)]
        for node in nodes:
            self.database.nodes.enroll(node.id, secret_hash=HASH, token_hash=TOKEN)
        for problem in ("kubelet has failed", "kubelet and containerd have failed", None):
            sick = records.NodeReport(nodes[0].id, "198.51.100.1", "1.0", "b", problem)
            well = records.NodeReport(nodes[1].id, "198.51.100.2", "1.0", "b")
            self.database.nodes.heartbeat_many([sick, well])
            after = [self.database.nodes.get(node.id) for node in nodes]
            self.assertEqual([problem, None], [node.status_reason for node in after])
            self.assertEqual([states.NodeStatus.UP] * 2, [node.status for node in after])

    def test_a_node_without_a_token_is_not_up_whatever_is_reported(self) -> None:
        node = builders.node(self.database)
        self.database.nodes.heartbeat_many([records.NodeReport(node.id, "198.51.100.1", "1.0", "b")])
        self.assertIs(states.NodeStatus.ENROLLING, self.database.nodes.get(node.id).status)

    def test_a_silent_node_is_down_and_comes_back(self) -> None:
        node = builders.node(self.database)
        self.database.nodes.enroll(node.id, secret_hash=HASH, token_hash=TOKEN)
        report = records.NodeReport(node.id, "198.51.100.1", "1.0", "b")
        self.database.nodes.heartbeat_many([report])
        self.assertEqual(0, self.database.nodes.mark_down(60))
        self.assertEqual(1, self.database.nodes.mark_down(-1))
        self.assertIs(states.NodeStatus.DOWN, self.database.nodes.get(node.id).status)
        self.database.nodes.heartbeat_many([report])
        back = self.database.nodes.get(node.id)
        self.assertEqual((states.NodeStatus.UP, None), (back.status, back.status_reason))


class LeaseContract(testtools.TestCase):
    """One conductor at a time."""

    database: api.Database

    def test_a_lease_has_one_owner_until_it_is_given_back(self) -> None:
        leases = self.database.leases
        self.assertTrue(leases.acquire("namespace:1", "one", 60))
        self.assertTrue(leases.acquire("namespace:1", "one", 60))
        self.assertFalse(leases.acquire("namespace:1", "two", 60))
        leases.release("namespace:1", "two")
        self.assertFalse(leases.acquire("namespace:1", "two", 60))
        leases.release("namespace:1", "one")
        self.assertTrue(leases.acquire("namespace:1", "two", 60))

    def test_an_expired_lease_goes_to_another_and_cannot_be_renewed(self) -> None:
        leases = self.database.leases
        self.assertTrue(leases.acquire("namespace:1", "one", -1))
        self.assertFalse(leases.renew("namespace:1", "one", 60))
        self.assertTrue(leases.acquire("namespace:1", "two", 60))
        self.assertFalse(leases.renew("namespace:1", "one", 60))
        self.assertTrue(leases.renew("namespace:1", "two", 60))
