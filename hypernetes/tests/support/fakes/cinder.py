# SPDX-License-Identifier: Apache-2.0
"""A Cinder in memory: each project has its volumes and its quota."""

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field

from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.openstack import cinder
from hypernetes.openstack import failures
from hypernetes.tests.support.fakes import neutron


@dataclass
class FakeCinder:
    """The volumes by ID, with project, record and metadata."""

    members: neutron.FakeNeutron
    """Knows in which projects the service user is a member, and at which call it is killed."""
    volumes: dict[str, tuple[str, str, cinder.CinderVolume, dict[str, str]]] = field(default_factory=dict)
    types: dict[str, set[str]] = field(default_factory=lambda: {"standard": set()})
    """The types, with the projects that may not use them."""
    quota: int = 100
    """GiB of each project."""
    created_as: str = "available"
    stuck: bool = False
    """Whether a deletion does not end."""
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def of_project(self, project_id: str) -> list[cinder.CinderVolume]:
        return [volume for owner, _, volume, _ in self.volumes.values() if owner == project_id]


class FakeProjectVolumes:
    """Stands for :class:`hypernetes.openstack.cinder.ProjectVolumes`."""

    def __init__(self, fake: FakeCinder, project_id: str) -> None:
        self._fake = fake
        self._project_id = project_id

    def _check(self) -> None:
        if self._project_id not in self._fake.members.members:
            raise failures.NotAMember(service=cinder.SERVICE, reason="no member")

    def find(self, record_id: str, name: str) -> cinder.CinderVolume | None:
        self._check()
        for owner, marked, volume, _ in self._fake.volumes.values():
            if (owner, marked) == (self._project_id, record_id):
                return volume
        return None

    def get(self, volume_id: str) -> cinder.CinderVolume | None:
        self._check()
        owner, _, volume, _ = self._fake.volumes.get(volume_id, (None, None, None, None))
        return volume if owner == self._project_id else None

    def create(
        self, record_id: str, name: str, size: int, volume_type: str, about: Mapping[str, str]
    ) -> cinder.CinderVolume:
        self._check()
        if self._project_id in self._fake.types.get(volume_type, {self._project_id}):
            raise cinder.VolumeTypeUnusable(type=volume_type)
        if sum(one.size for one in self._fake.of_project(self._project_id)) + size > self._fake.quota:
            raise errors.QuotaExceeded(reason="Requested volume exceeds allowed gigabytes quota")
        with self._fake.members.fate.decides():
            volume_id = ids.CinderVolumeId(f"00000000-0000-4000-8000-{next(self._fake.numbers):012}")
            volume = cinder.CinderVolume(volume_id, size, self._fake.created_as)
            self._fake.volumes[volume_id] = (self._project_id, record_id, volume, dict(about))
        return volume

    def delete(self, volume_id: str) -> None:
        volume = self.get(volume_id)
        if volume is None:
            return
        if volume.status == "in-use":
            raise errors.Refused(service=cinder.SERVICE, reason="it is in use")
        with self._fake.members.fate.decides():
            if not self._fake.stuck:
                del self._fake.volumes[volume_id]

    def settle(self, volume_id: str, status: str) -> None:
        """Have Cinder bring a volume to a status."""
        owner, record, volume, about = self._fake.volumes[volume_id]
        self._fake.volumes[volume_id] = (owner, record, dataclasses.replace(volume, status=status), about)
