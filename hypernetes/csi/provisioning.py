# SPDX-License-Identifier: Apache-2.0
"""Creates and deletes the Cinder volumes of claims, in the projects that own the claims' namespaces.

Every step may be interrupted. The record is written before Cinder is asked; the volume is found by its recorded ID,
else by the mark that an interrupted run has left, and created only if both are missing. So one PersistentVolume never
has two.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from oslo_log import log

from hypernetes.csi import server
from hypernetes.db import api as db_api
from hypernetes.kubernetes import claims
from hypernetes.kubernetes import client
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import kinds
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.openstack import cinder
from hypernetes.openstack import cloud as clouds
from hypernetes.openstack import failures

LOG = log.getLogger(__name__)

T = TypeVar("T")

_POLL_SECONDS = 0.3


class ClaimGone(errors.Refused):
    """There is no such claim any more, so nothing is made for it."""

    code = "hypernetes.claim.gone"
    template = "The claim {namespace}/{claim} for which {volume} was wanted does not exist any more."
    remedy = "Nothing needs to be done."


class NotTenants(errors.Refused):
    """A namespace is no tenant's, so that no project can own volumes of it."""

    code = "hypernetes.namespace.not_a_tenants"
    template = "The namespace {namespace} belongs to no project."
    remedy = "Create the claim in a namespace that was made with `openstack kube namespace create`."


class VolumeFailed(errors.Refused):
    """Cinder gave a volume up."""

    code = "hypernetes.volume.failed"
    template = "Cinder could not {action} the volume {id}."
    remedy = (
        "`openstack volume message list` says why; the operation is retried automatically. If this persists, ask the "
        "operator to look at that volume in Cinder's logs."
    )


@dataclass(frozen=True, slots=True)
class Wish:
    """A volume that a claim asks for."""

    name: str
    """Name of the PersistentVolume."""
    namespace: str
    claim: str
    volume_type: str
    """ID or name of a type of Cinder's."""
    size: int
    """GiB, at least."""
    limit: int | None = None
    """GiB, at most."""


class Provisioner:
    """Works for one cluster. Safe for threads.

    :param cluster_id: the cluster whose claims these are.
    :param wait: how long, in seconds, a call waits for Cinder before it is to be repeated.
    """

    def __init__(
        self,
        database: db_api.Database,
        cloud: clouds.Cloud,
        apiserver: client.ClusterClient,
        cluster_id: ids.ClusterId,
        wait: float,
    ) -> None:
        self._database = database
        self._cloud = cloud
        self._apiserver = apiserver
        self._cluster_id = cluster_id
        self._wait = wait
        self._lock = threading.Lock()
        self._busy: set[str] = set()

    def create(self, wish: Wish) -> cinder.CinderVolume:
        """Return the volume of a claim, which exists when this returns.

        :raises server.Pending: when Cinder needs longer, or another call works on it; to be repeated.
        :raises server.Mismatch: when a volume of that name has another size.
        :raises ClaimGone: when the claim is gone; what was made for it is gone, too.
        """
        with self._alone(wish.name):
            uid = claims.uid_of(wish.name)
            if uid is None:
                raise errors.BadRequest(reason=f"{wish.name} is not made of a claim's UID; use csi-provisioner's names")
            record = self._database.volumes.find_by_name(self._cluster_id, wish.name)
            if record is not None and (record.namespace, record.claim) != (wish.namespace, wish.claim):
                # What is recorded says whether the claim is gone, not what a call names.
                reason = f"it was made for the claim {record.namespace}/{record.claim}"
                raise server.Mismatch(kind=kinds.Kind.VOLUME, id=wish.name, reason=reason)
            claim = claims.find(self._apiserver, wish.namespace, wish.claim, uid)
            if claim is None:
                self._abandon(record)
                raise ClaimGone(namespace=wish.namespace, claim=wish.claim, volume=wish.name)
            if record is None:
                record = self._record(wish, claim)
            elif record.size < wish.size or (wish.limit is not None and record.size > wish.limit):
                reason = f"it has {record.size} GiB, and {wish.size} GiB are asked for"
                raise server.Mismatch(kind=kinds.Kind.VOLUME, id=wish.name, reason=reason)
            return self._bring(record, wish)

    def delete(self, volume_id: ids.CinderVolumeId) -> None:
        """Delete a volume, which is gone when this returns; one that is not recorded is.

        :raises server.Pending: when Cinder needs longer; to be repeated.
        :raises errors.Refused: when Cinder refuses, for instance because the volume is in use.
        """
        record = self._database.volumes.find_by_volume(self._cluster_id, volume_id)
        if record is None:
            return
        with self._alone(record.name):
            self._remove(record)

    def require(self, volume_id: ids.CinderVolumeId) -> None:
        """Check that a volume is known.

        :raises errors.NotFound: when it is not.
        """
        if self._database.volumes.find_by_volume(self._cluster_id, volume_id) is None:
            raise errors.NotFound(kind=kinds.Kind.VOLUME, id=volume_id)

    def _record(self, wish: Wish, claim: claims.Claim) -> records.Volume:
        """Record what is about to be made, for the project that owns the claim's namespace.

        :raises NotTenants: when the namespace is not the one of a record, whatever it is called.
        """
        try:
            namespace = self._database.namespaces.get_by_name(self._cluster_id, claim.namespace)
        except errors.NotFound:
            namespace = None
        if namespace is None or namespace.kubernetes_uid != claim.namespace_uid:
            raise NotTenants(namespace=claim.namespace)
        if namespace.status is states.NamespaceStatus.DELETING:
            raise errors.Conflict(kind=kinds.Kind.NAMESPACE, id=namespace.name, reason="it is being deleted")
        return self._database.volumes.create(
            records.Volume(
                id=ids.VolumeRecordId(ids.new_uuid()),
                cluster_id=self._cluster_id,
                project_id=namespace.project_id,
                name=wish.name,
                namespace=claim.namespace,
                claim=claim.name,
                size=wish.size,
            )
        )

    def _bring(self, record: records.Volume, wish: Wish) -> cinder.CinderVolume:
        """Find or create the volume, record it and wait for it."""
        volumes = self._cloud.volumes(record.project_id)

        def find_or_create() -> cinder.CinderVolume:
            found = volumes.get(record.volume_id) if record.volume_id is not None else None
            found = found or volumes.find(record.id, record.name)
            return found or volumes.create(record.id, record.name, record.size, wish.volume_type, self._about(record))

        try:
            volume = self._as_member(record.project_id, find_or_create)
        except (errors.QuotaExceeded, errors.Refused):
            if record.volume_id is None:
                # Nothing was made. A retry may find another type or size in the claim's place.
                self._database.volumes.delete(record.id)
            raise
        if volume.id != record.volume_id:
            record = self._database.volumes.observe(record.id, volume_id=volume.id)
        volume = self._settled(record, volume)
        if volume.state is not cinder.State.READY:
            # It counts against the quota, and no retry would make it usable.
            self._remove(record)
            raise VolumeFailed(action="create", id=volume.id)
        return volume

    def _settled(self, record: records.Volume, volume: cinder.CinderVolume) -> cinder.CinderVolume:
        """Return the volume once Cinder has created it or given it up."""
        volumes = self._cloud.volumes(record.project_id)

        def poll() -> cinder.CinderVolume | None:
            current = volumes.get(volume.id)
            if current is None:
                raise server.Pending(reason=f"Volume {volume.id} was deleted while it was being created")
            return current if current.state is not cinder.State.PENDING else None

        if volume.state is not cinder.State.PENDING:
            return volume
        return self._awaited(poll, f"Cinder is still creating volume {volume.id}")

    def _remove(self, record: records.Volume) -> None:
        """Delete the volume of a record, recorded or found by its mark, and then the record."""
        volumes = self._cloud.volumes(record.project_id)

        def delete() -> ids.CinderVolumeId | None:
            volume_id = record.volume_id
            if volume_id is None and (found := volumes.find(record.id, record.name)) is not None:
                volume_id = found.id
            if volume_id is not None:
                volumes.delete(volume_id)
            return volume_id

        try:
            volume_id = self._as_member(record.project_id, delete)
        except failures.ProjectGone:
            LOG.warning("Project %s is gone. Delete its volume %s in Cinder", record.project_id, record.volume_id)
            volume_id = None
        if volume_id is not None:
            self._await_end(volumes, volume_id)
        self._database.volumes.delete(record.id)
        self._leave(record.project_id)

    def _await_end(self, volumes: cinder.ProjectVolumes, volume_id: ids.CinderVolumeId) -> None:
        def is_gone() -> bool:
            current = volumes.get(volume_id)
            if current is not None and current.state is cinder.State.UNDELETABLE:
                raise VolumeFailed(action="delete", id=volume_id)
            return current is None

        self._awaited(is_gone, f"Cinder is still deleting volume {volume_id}")

    def _abandon(self, record: records.Volume | None) -> None:
        """Delete what was made for a claim that is gone, unless a PersistentVolume holds it."""
        if record is not None and not claims.has_volume(self._apiserver, record.name):
            self._remove(record)

    def _as_member(self, project_id: ids.ProjectId, call: Callable[[], T]) -> T:
        """Make a call as a member of the project; join it again if the membership was revoked.

        It is when a project's last namespace is gone, and its volumes may be left; a tenant can do it, too.
        """
        try:
            return call()
        except failures.NotAMember:
            self._cloud.keystone.grant_member(project_id)
            return call()

    def _leave(self, project_id: ids.ProjectId) -> None:
        """Revoke the membership in a project that has nothing of Hypernetes any more."""
        database = self._database
        if database.namespaces.list(project_id=project_id) or database.volumes.list(project_id=project_id, limit=1):
            return
        try:
            self._cloud.keystone.revoke_member(project_id)
            database.projects.ensure(project_id)
            database.projects.observe(project_id, member_granted=False)
        except errors.HypernetesError as error:
            # The volume is gone; the next namespace of the project uses the role, and its deletion revokes it.
            LOG.warning("The membership in project %s was not revoked: %s", project_id, error)

    def _awaited(self, poll: Callable[[], T | None], what: str) -> T:
        """Return the first true answer.

        :raises server.Pending: when there is none in time.
        """
        deadline = time.monotonic() + self._wait
        while not (answer := poll()):
            if time.monotonic() > deadline:
                raise server.Pending(reason=what)
            time.sleep(_POLL_SECONDS)
        return answer

    @contextlib.contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Hold a volume for the block.

        :raises server.Pending: when another call holds it.
        """
        with self._lock:
            if name in self._busy:
                raise server.Pending(reason=f"Another call works on {name}")
            self._busy.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard(name)

    def _about(self, record: records.Volume) -> dict[str, str]:
        cluster = self._database.clusters.get(record.cluster_id)
        return {cinder.CLUSTER: cluster.name, cinder.NAMESPACE: record.namespace, cinder.CLAIM: record.claim}
