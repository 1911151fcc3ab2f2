# SPDX-License-Identifier: Apache-2.0
"""Volumes of persistent volume claims: which Cinder volume in which project."""

from hypernetes.db import models
from hypernetes.db.repositories import base
from hypernetes.model import errors
from hypernetes.model import kinds
from hypernetes.model import records


class Volumes(base.Repository[models.Volume, records.Volume]):
    """Volumes; the name of a PersistentVolume is unique in its cluster, so that it never gets two."""

    kind = kinds.Kind.VOLUME
    row = models.Volume
    record = records.Volume

    def find_by_name(self, cluster_id: str, name: str) -> records.Volume | None:
        """Return the record of a PersistentVolume, or None."""
        return self._find(cluster_id=cluster_id, name=name)

    def find_by_volume(self, cluster_id: str, volume_id: str) -> records.Volume | None:
        """Return the record of a Cinder volume that serves the cluster, or None."""
        return self._find(cluster_id=cluster_id, volume_id=volume_id)

    def _duplicate(self, record: records.Volume) -> errors.HypernetesError:
        return errors.Conflict(kind=self.kind, id=record.name, reason="another request recorded it first")
