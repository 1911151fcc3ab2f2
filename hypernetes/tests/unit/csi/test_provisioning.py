# SPDX-License-Identifier: Apache-2.0
"""Volumes are made in the project that owns the claim's namespace, once, whatever is interrupted or forged."""

import dataclasses
from typing import Any

import testtools
from lightkube.models import meta_v1 as meta
from lightkube.resources import core_v1 as core

from hypernetes.csi import provisioning
from hypernetes.csi import server
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.openstack import cinder
from hypernetes.openstack import keystone
from hypernetes.tests.support import database as builders
from hypernetes.tests.support.fakes import apiserver
from hypernetes.tests.support.fakes import cloud
from hypernetes.tests.support.fakes import fate as fates

UID = "3b7bd1f2-6f1f-4b2c-8d53-0c1f5a1f0001"
NAME = f"pvc-{UID}"
WISH = provisioning.Wish(NAME, "web", "data", "standard", 2)


class ProvisioningCase(testtools.TestCase):
    """A cluster with a namespace ``web`` of red, in which there is a claim ``data``."""

    def setUp(self) -> None:
        super().setUp()
        self.database = self.useFixture(builders.MigratedDatabase()).database
        self.fate = fates.Fate()
        self.apiserver = apiserver.FakeApiserver(self.fate)
        self.cloud = cloud.FakeCloud(self.fate)
        self.cloud.neutron.members |= {builders.RED, builders.BLUE}
        self.cluster = builders.cluster(self.database)
        self.namespace = self.tenants("web", builders.RED)
        self.claim("web", "data", UID)
        self.provisioner = self.restarted()

    def restarted(self) -> provisioning.Provisioner:
        """Return a driver that remembers nothing."""
        fakes: tuple[Any, Any] = (self.cloud, self.apiserver)
        return provisioning.Provisioner(self.database, *fakes, cluster_id=self.cluster.id, wait=0.01)

    def tenants(self, name: str, project: ids.ProjectId) -> Any:
        record = builders.namespace(self.database, self.cluster.id, name, project)
        return self.database.namespaces.observe(record.id, kubernetes_uid=self.kubernetes(name))

    def kubernetes(self, name: str) -> str:
        self.apiserver.objects.pop((core.Namespace, None, name), None)
        return str(self.apiserver.create(core.Namespace(metadata=meta.ObjectMeta(name=name))).metadata.uid)

    def claim(self, namespace: str, name: str, uid: str) -> None:
        item = core.PersistentVolumeClaim(metadata=meta.ObjectMeta(name=name, namespace=namespace, uid=uid))
        self.apiserver.objects[core.PersistentVolumeClaim, namespace, name] = item

    def forget_claim(self) -> None:
        del self.apiserver.objects[core.PersistentVolumeClaim, "web", "data"]

    def volumes(self, project: ids.ProjectId = builders.RED) -> list[cinder.CinderVolume]:
        return self.cloud.cinder.of_project(project)


class OwnershipTest(ProvisioningCase):
    def test_the_volume_is_in_the_namespace_s_project_and_says_what_it_is_for(self) -> None:
        made = self.provisioner.create(WISH)
        self.assertEqual([made], self.volumes())
        about = self.cloud.cinder.volumes[made.id][3]
        self.assertEqual(
            {"kubernetes.cluster": "demo", "kubernetes.namespace": "web", "kubernetes.claim": "data"}, about
        )
        record = self.database.volumes.find_by_volume(self.cluster.id, made.id)
        self.assertEqual((builders.RED, NAME, 2), (record.project_id, record.name, record.size) if record else None)

    def test_a_namespace_of_the_same_name_that_is_not_the_recorded_one_has_no_project(self) -> None:
        self.kubernetes("web")
        error = self.assertRaises(provisioning.NotTenants, self.provisioner.create, WISH)
        self.assertIn("openstack kube namespace create", error.detail)
        self.assertEqual([], self.volumes())

    def test_a_namespace_without_a_record_has_no_project(self) -> None:
        self.kubernetes("kube-system")
        self.claim("kube-system", "data", UID)
        wish = dataclasses.replace(WISH, namespace="kube-system")
        self.assertRaises(provisioning.NotTenants, self.provisioner.create, wish)

    def test_a_claim_s_name_without_its_uid_leads_nowhere(self) -> None:
        self.tenants("shop", builders.BLUE)
        self.claim("shop", "data", "3b7bd1f2-6f1f-4b2c-8d53-0c1f5a1f0002")
        wish = dataclasses.replace(WISH, namespace="shop")
        self.assertRaises(provisioning.ClaimGone, self.provisioner.create, wish)
        self.assertEqual([], self.volumes(builders.BLUE))

    def test_the_namespace_is_read_before_the_claim(self) -> None:
        # The namespace is deleted between the two, and its name goes to blue: red's claim must not lead to blue.
        find = self.apiserver.find

        def handed_over(kind: type, name: str, namespace: str | None = None) -> Any:
            found = find(kind, name, namespace)
            if len(asked) == 0:
                self.forget_claim()
                self.database.namespaces.delete(self.namespace.id)
                self.tenants("web", builders.BLUE)
            asked.append(kind)
            return found

        asked: list[type] = []
        self.apiserver.find = handed_over  # type: ignore[method-assign]
        self.assertRaises(provisioning.ClaimGone, self.provisioner.create, WISH)
        self.assertEqual([[], []], [self.volumes(project) for project in (builders.RED, builders.BLUE)])

    def test_a_volume_name_that_is_not_made_of_a_uid_is_refused(self) -> None:
        wish = dataclasses.replace(WISH, name="data")
        self.assertRaises(errors.BadRequest, self.provisioner.create, wish)

    def test_a_namespace_being_deleted_gets_no_volume(self) -> None:
        self.database.namespaces.mark_deleting(self.namespace.id)
        self.assertRaises(errors.Conflict, self.provisioner.create, WISH)
        self.assertEqual([], self.volumes())

    def test_another_cluster_s_volume_is_not_deleted(self) -> None:
        made = self.provisioner.create(WISH)
        self.cluster = builders.cluster(self.database, "other")
        self.restarted().delete(made.id)
        self.assertEqual([made], self.volumes())


class OnceTest(ProvisioningCase):
    def test_a_repeated_call_returns_the_same_volume(self) -> None:
        first = self.provisioner.create(WISH)
        self.assertEqual(first, self.restarted().create(WISH))
        self.assertEqual(1, len(self.volumes()))

    def test_a_driver_killed_at_any_call_leaves_one_volume(self) -> None:
        for after in (False, True):
            self.fate.calls, self.fate.dies_at, self.fate.after_effect = 0, 0, after
            self.assertRaises(fates.Killed, self.provisioner.create, WISH)
            self.fate.dies_at = None
            made = self.restarted().create(WISH)
            self.assertEqual([made], self.volumes())
            self.restarted().delete(made.id)

    def test_another_size_under_the_same_name_is_refused(self) -> None:
        self.provisioner.create(WISH)
        self.assertRaises(server.Mismatch, self.provisioner.create, dataclasses.replace(WISH, size=3))
        self.assertRaises(server.Mismatch, self.provisioner.create, dataclasses.replace(WISH, size=1, limit=1))

    def test_a_call_during_another_for_the_same_volume_is_to_be_repeated(self) -> None:
        with self.provisioner._alone(NAME):
            self.assertRaises(server.Pending, self.provisioner.create, WISH)
        self.provisioner.create(WISH)

    def test_cinder_may_take_longer_than_a_call(self) -> None:
        self.cloud.cinder.created_as = "creating"
        self.assertRaises(server.Pending, self.provisioner.create, WISH)
        (made,) = self.volumes()
        self.cloud.volumes(builders.RED).settle(made.id, "available")
        self.assertEqual(made.id, self.restarted().create(WISH).id)

    def test_a_volume_that_its_owner_deleted_is_made_again(self) -> None:
        first = self.provisioner.create(WISH)
        del self.cloud.cinder.volumes[first.id]
        second = self.provisioner.create(WISH)
        self.assertEqual([second], self.volumes())

    def test_what_was_made_for_a_claim_that_is_gone_is_deleted(self) -> None:
        self.cloud.cinder.created_as = "creating"
        self.assertRaises(server.Pending, self.provisioner.create, WISH)
        self.forget_claim()
        self.assertRaises(provisioning.ClaimGone, self.provisioner.create, WISH)
        self.assertEqual([], self.volumes())
        self.assertEqual((), self.database.volumes.list())

    def test_a_call_that_names_another_claim_for_a_volume_deletes_nothing(self) -> None:
        made = self.provisioner.create(WISH)
        for wrong in (dataclasses.replace(WISH, namespace="shop"), dataclasses.replace(WISH, claim="other")):
            self.assertRaises(server.Mismatch, self.provisioner.create, wrong)
        self.assertEqual([made], self.volumes())

    def test_a_persistent_volume_keeps_its_volume_though_the_claim_is_gone(self) -> None:
        made = self.provisioner.create(WISH)
        self.forget_claim()
        self.apiserver.create(core.PersistentVolume(metadata=meta.ObjectMeta(name=NAME)))
        self.assertRaises(provisioning.ClaimGone, self.provisioner.create, WISH)
        self.assertEqual([made], self.volumes())


class RefusalTest(ProvisioningCase):
    def test_a_quota_is_refused_with_the_remedy_and_leaves_nothing(self) -> None:
        self.cloud.cinder.quota = 1
        error = self.assertRaises(errors.QuotaExceeded, self.provisioner.create, WISH)
        self.assertIn("ask the operator to raise the project's quota", error.detail)
        self.assertEqual((), self.database.volumes.list())
        self.cloud.cinder.quota = 2
        self.provisioner.create(WISH)

    def test_a_type_that_the_project_may_not_use_is_refused_with_the_remedy(self) -> None:
        self.cloud.cinder.types["fast"] = {builders.RED}
        wish = dataclasses.replace(WISH, volume_type="fast")
        error = self.assertRaises(cinder.VolumeTypeUnusable, self.provisioner.create, wish)
        self.assertIn("Choose another StorageClass", error.detail)
        self.assertEqual((), self.database.volumes.list())

    def test_a_volume_that_cinder_gives_up_does_not_count_against_the_quota(self) -> None:
        self.cloud.cinder.created_as = "error"
        self.assertRaises(provisioning.VolumeFailed, self.provisioner.create, WISH)
        self.assertEqual([], self.volumes())
        self.cloud.cinder.created_as = "available"
        self.provisioner.create(WISH)


class DeletionTest(ProvisioningCase):
    def setUp(self) -> None:
        super().setUp()
        self.made = self.provisioner.create(WISH)

    def test_a_volume_is_deleted_with_its_record_and_a_second_time(self) -> None:
        self.provisioner.delete(self.made.id)
        self.provisioner.delete(self.made.id)
        self.assertEqual(([], ()), (self.volumes(), self.database.volumes.list()))
        self.assertRaises(errors.NotFound, self.provisioner.require, self.made.id)

    def test_a_driver_killed_at_any_call_of_a_deletion_ends_it(self) -> None:
        for after in (False, True):
            self.fate.calls, self.fate.dies_at, self.fate.after_effect = 0, 0, after
            self.assertRaises(fates.Killed, self.provisioner.delete, self.made.id)
            self.fate.dies_at = None
            self.restarted().delete(self.made.id)
            self.assertEqual(([], ()), (self.volumes(), self.database.volumes.list()))
            self.made = self.restarted().create(WISH)

    def test_a_volume_in_use_stays(self) -> None:
        self.cloud.volumes(builders.RED).settle(self.made.id, "in-use")
        self.assertRaises(errors.Refused, self.provisioner.delete, self.made.id)
        self.provisioner.require(self.made.id)

    def test_the_record_stays_until_the_volume_is_gone(self) -> None:
        self.cloud.cinder.stuck = True
        self.assertRaises(server.Pending, self.provisioner.delete, self.made.id)
        self.provisioner.require(self.made.id)
        self.cloud.volumes(builders.RED).settle(self.made.id, "error_deleting")
        self.assertRaises(provisioning.VolumeFailed, self.provisioner.delete, self.made.id)

    def test_a_volume_of_a_project_without_namespaces_is_deleted_and_the_membership_ends(self) -> None:
        self.database.namespaces.delete(self.namespace.id)
        self.cloud.neutron.members.discard(builders.RED)
        self.provisioner.delete(self.made.id)
        self.assertEqual([], self.volumes())
        self.assertNotIn(builders.RED, self.cloud.neutron.members)

    def test_the_membership_stays_while_the_project_has_a_namespace(self) -> None:
        self.cloud.neutron.members.discard(builders.RED)
        self.provisioner.delete(self.made.id)
        self.assertIn(builders.RED, self.cloud.neutron.members)

    def test_the_record_of_a_project_that_is_gone_goes(self) -> None:
        self.cloud.keystone.change(builders.RED, keystone.ProjectState.GONE)
        self.provisioner.delete(self.made.id)
        self.assertEqual((), self.database.volumes.list())
