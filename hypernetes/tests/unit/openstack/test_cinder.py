# SPDX-License-Identifier: Apache-2.0
"""Volumes as a member of the project, with a Cinder that answers by script."""

from types import SimpleNamespace
from typing import Any
from unittest import mock

import testtools
from openstack import exceptions

from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.openstack import cinder
from hypernetes.openstack import session
from hypernetes.tests.support.database import RED

RECORD = ids.VolumeRecordId("6a8f8a54-0a62-4d5c-a9ff-000000000001")
MARK = f"hypernetes:volume:{RECORD}"


def volume(identifier: str, status: str = "available", mark: str | None = MARK, **fields: Any) -> SimpleNamespace:
    """What the SDK returns of a volume."""
    metadata = {cinder.MARK: mark} if mark else {}
    return SimpleNamespace(id=identifier, size=2, status=status, metadata=metadata, created_at="2026", **fields)


def answer(status: int, kind: str, message: str) -> exceptions.HttpException:
    """The error that the SDK raises for an answer of Cinder's."""
    response = mock.Mock(status_code=status)
    response.json.return_value = {kind: {"code": status, "message": message}}
    return exceptions.HttpException(message, response, http_status=status)


class ProjectVolumesTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.sessions = mock.create_autospec(session.Sessions, instance=True)
        self.proxy = self.sessions.project.return_value.block_storage
        conf: Any = SimpleNamespace(openstack=SimpleNamespace(deployment_name="hypernetes"))
        self.volumes = cinder.ProjectVolumes(conf, self.sessions, RED)

    def create(self) -> cinder.CinderVolume:
        return self.volumes.create(RECORD, "pvc-1", 2, "standard", {cinder.CLAIM: "data"})

    def test_a_volume_is_created_as_a_member_of_the_project_with_its_mark(self) -> None:
        self.proxy.find_type.return_value = SimpleNamespace(id="t1")
        self.proxy.create_volume.return_value = volume("v1", "creating")
        self.assertIs(cinder.State.PENDING, self.create().state)
        self.sessions.project.assert_called_with(RED)
        self.proxy.create_volume.assert_called_once_with(
            name="pvc-1", size=2, volume_type="t1", metadata={cinder.CLAIM: "data", cinder.MARK: MARK}
        )

    def test_a_type_that_the_project_does_not_see_is_refused(self) -> None:
        self.proxy.find_type.return_value = None
        self.assertRaises(cinder.VolumeTypeUnusable, self.create)
        self.proxy.create_volume.assert_not_called()

    def test_an_exceeded_quota_is_one(self) -> None:
        message = "VolumeSizeExceedsAvailableQuota: Requested volume exceeds allowed gigabytes quota."
        self.proxy.create_volume.side_effect = answer(413, "overLimit", message)
        error = self.assertRaises(errors.QuotaExceeded, self.create)
        self.assertIn("exceeds allowed gigabytes quota.", error.message)

    def test_a_marked_volume_is_found_and_others_of_its_name_are_not(self) -> None:
        other = volume("v0", mark="hypernetes:volume:other")
        self.proxy.volumes.return_value = iter([other, volume("v2"), volume("v1"), volume("v3", mark=None)])
        found = self.volumes.find(RECORD, "pvc-1")
        self.assertEqual("v1", found.id if found else None)
        self.proxy.volumes.return_value = iter([other])
        self.assertIsNone(self.volumes.find(RECORD, "pvc-1"))

    def test_what_is_gone_needs_no_deletion_and_what_is_going_no_second(self) -> None:
        self.proxy.get_volume.side_effect = exceptions.NotFoundException("gone")
        self.volumes.delete(ids.CinderVolumeId("v1"))
        self.proxy.get_volume.side_effect = None
        self.proxy.get_volume.return_value = volume("v1", "deleting")
        self.volumes.delete(ids.CinderVolumeId("v1"))
        self.proxy.delete_volume.assert_not_called()
        self.proxy.get_volume.return_value = volume("v1")
        self.volumes.delete(ids.CinderVolumeId("v1"))
        self.proxy.delete_volume.assert_called_once_with("v1", ignore_missing=True)

    def test_a_volume_in_use_is_refused(self) -> None:
        self.proxy.get_volume.return_value = volume("v1", "in-use")
        self.proxy.delete_volume.side_effect = answer(400, "badRequest", "Volume status must be available.")
        self.assertRaises(errors.Refused, self.volumes.delete, ids.CinderVolumeId("v1"))

    def test_statuses_mean_what_a_caller_waits_for(self) -> None:
        found = {name: cinder.CinderVolume(ids.CinderVolumeId("v"), 1, name).state for name in (
            "creating", "available", "in-use", "error", "error_deleting", "deleting")}  # fmt: skip
        self.assertEqual(
            {
                "creating": cinder.State.PENDING,
                "available": cinder.State.READY,
                "in-use": cinder.State.READY,
                "error": cinder.State.FAILED,
                "error_deleting": cinder.State.UNDELETABLE,
                "deleting": cinder.State.PENDING,
            },
            found,
        )
