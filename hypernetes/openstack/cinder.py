# SPDX-License-Identifier: Apache-2.0
"""Volumes in tenants' projects: created, found and deleted as a member of the project that owns them.

What Hypernetes creates carries the deployment and the record in its metadata, set by the request that creates it, so
that what an interrupted run created but did not record is found again. Tenants can write metadata too; but the token's
scope is the project, so that nothing of another project is ever found, adopted or deleted.

Errors are those of :func:`hypernetes.openstack.failures.translated`.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from typing import ClassVar

from openstack import exceptions
from oslo_config import cfg

from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.openstack import failures
from hypernetes.openstack import session as sessions

SERVICE = "Cinder"

MARK = "hypernetes.volume"
"""Metadata key that names the deployment and the record."""
CLUSTER, NAMESPACE, CLAIM = "kubernetes.cluster", "kubernetes.namespace", "kubernetes.claim"
"""Metadata keys that say to people what a volume is for; nothing is decided by them."""


class VolumeTypeUnusable(errors.Refused):
    """The project may not use the volume type of the StorageClass, or there is none."""

    code: ClassVar[str] = "hypernetes.volume.type_unusable"
    template: ClassVar[str] = "The project has no access to Cinder's volume type {type}, or there is no such type."
    remedy: ClassVar[str] = (
        "Choose another StorageClass, or ask the operator for access to the type "
        "(`openstack volume type set --project`); the operation is then retried automatically."
    )


class State(enum.Enum):
    """What matters of a volume's status here."""

    PENDING = enum.auto()
    """Cinder is at work on it."""
    READY = enum.auto()
    FAILED = enum.auto()
    """Cinder could not create it, and will not try again."""
    UNDELETABLE = enum.auto()
    """Cinder could not delete it, and will not try again."""


_PENDING = frozenset({"creating", "downloading", "deleting"})
_FAILED = {"error": State.FAILED, "error_deleting": State.UNDELETABLE}


@dataclass(frozen=True, slots=True)
class CinderVolume:
    """A volume as Cinder reports it."""

    id: ids.CinderVolumeId
    size: int
    """GiB."""
    status: str

    @property
    def state(self) -> State:
        """What the status means for who waits for the volume."""
        return State.PENDING if self.status in _PENDING else _FAILED.get(self.status, State.READY)


class ProjectVolumes:
    """The volumes of one project, by a member of it."""

    def __init__(self, conf: cfg.ConfigOpts, opened: sessions.Sessions, project_id: ids.ProjectId) -> None:
        self._deployment = conf.openstack.deployment_name
        self._sessions = opened
        self._project_id = project_id

    @property
    def _proxy(self) -> Any:
        return self._sessions.project(self._project_id).block_storage

    def _mark(self, record_id: ids.VolumeRecordId) -> str:
        return f"{self._deployment}:volume:{record_id}"

    def find(self, record_id: ids.VolumeRecordId, name: str) -> CinderVolume | None:
        """Return the volume that was created for a record, recorded or not; None if there is none."""
        mark = self._mark(record_id)
        with failures.translated(SERVICE):
            found = [one for one in self._proxy.volumes(details=True, name=name) if one.metadata.get(MARK) == mark]
        # The oldest: a copy that a tenant created later is never taken.
        oldest = min(found, key=lambda one: (one.created_at or "", one.id), default=None)
        return _volume(oldest) if oldest is not None else None

    def get(self, volume_id: ids.CinderVolumeId) -> CinderVolume | None:
        """Return a volume of the project; None if it has no such volume."""
        with failures.translated(SERVICE):
            try:
                return _volume(self._proxy.get_volume(volume_id))
            except exceptions.NotFoundException:
                return None

    def create(
        self, record_id: ids.VolumeRecordId, name: str, size: int, volume_type: str, about: Mapping[str, str]
    ) -> CinderVolume:
        """Request a volume of the type; return it before it is ready.

        :param size: GiB.
        :param volume_type: ID or name of a type of Cinder's.
        :param about: further metadata.
        :raises VolumeTypeUnusable: when the project does not see the type.
        :raises errors.QuotaExceeded: when the project's quota does not allow it.
        """
        with failures.translated(SERVICE):
            # As a member of the project: what is returned is what the project may use.
            found = self._proxy.find_type(volume_type, ignore_missing=True)
            if found is None:
                raise VolumeTypeUnusable(type=volume_type)
            metadata = {**about, MARK: self._mark(record_id)}
            made = self._proxy.create_volume(name=name, size=size, volume_type=found.id, metadata=metadata)
        return _volume(made)

    def delete(self, volume_id: ids.CinderVolumeId) -> None:
        """Request the deletion of a volume; one that the project does not have, or is being deleted, is no error.

        :raises errors.Refused: when it is in use or has snapshots.
        """
        current = self.get(volume_id)
        if current is None or current.status == "deleting":
            return
        with failures.translated(SERVICE):
            self._proxy.delete_volume(volume_id, ignore_missing=True)


def _volume(found: Any) -> CinderVolume:
    return CinderVolume(ids.CinderVolumeId(str(found.id)), int(found.size), str(found.status))
