# SPDX-License-Identifier: Apache-2.0
"""Finds the persistent volume claim for which a volume is wanted, and whose namespace it is in.

A provisioner says which claim by name. Names can be used again; here they lead to UIDs, which cannot: the claim's is
part of the volume's name, and the namespace's is compared with the record.
"""

import re
from dataclasses import dataclass
from typing import Any
from typing import cast

from lightkube.resources import core_v1 as core

from hypernetes.kubernetes import client

_VOLUME = re.compile(r"pvc-(?P<uid>[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})")


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim that exists, and the namespace that it is in."""

    namespace: str
    name: str
    uid: str
    namespace_uid: str


def uid_of(volume_name: str) -> str | None:
    """Return the UID of the claim that a PersistentVolume's name is made of; None if it is not made of one."""
    found = _VOLUME.fullmatch(volume_name)
    return found["uid"] if found else None


def find(cluster: client.ClusterClient, namespace: str, name: str, uid: str) -> Claim | None:
    """Return the claim with that name and UID; None if it is gone, or is another one of the same name.

    :raises errors.Unavailable, errors.Refused: as the client's :meth:`~client.ClusterClient.get` does.
    """
    # Before the claim, which is older than this request: if it still exists after the namespace was read, it was in
    # that namespace all the time. In the other order the namespace could be the next tenant's of the same name.
    place = cluster.find(core.Namespace, namespace)
    claim = cluster.find(core.PersistentVolumeClaim, name, namespace)
    if place is None or claim is None or _uid(claim) != uid:
        return None
    return Claim(namespace, name, uid, _uid(place))


def has_volume(cluster: client.ClusterClient, name: str) -> bool:
    """Return whether a PersistentVolume of that name exists."""
    return cluster.find(core.PersistentVolume, name) is not None


def _uid(item: object) -> str:
    return str(cast(Any, item).metadata.uid)
