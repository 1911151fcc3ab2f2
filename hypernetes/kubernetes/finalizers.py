# SPDX-License-Identifier: Apache-2.0
"""Objects that block the deletion of their namespace because of their finalizers.

A tenant may set any finalizer on its objects, and the namespace controller waits for all of them. By then the tenant's
role bindings are gone, so nothing but Hypernetes can remove one whose controller does not exist.
"""

import functools
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from oslo_log import log

from hypernetes.kubernetes import client as clients
from hypernetes.model import errors

LOG = log.getLogger(__name__)

_CORE = "/api/v1"
# The metadata alone: an apiserver sends no Secret's data for it (Kubernetes API concepts, "Metadata-only fetches").
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_PAGE = 500

_CONTROLLED = {
    ("persistentvolumeclaims", "kubernetes.io/pvc-protection"),
    ("services", "service.kubernetes.io/load-balancer-cleanup"),
}
"""Resource and finalizer of what Kubernetes' own controllers remove, once what they protect is released."""


@dataclass(frozen=True, slots=True)
class BlockedObject:
    """An object that is being deleted and has finalizers."""

    path: str
    """The object's path at the apiserver."""
    resource: str
    """The plural of its kind, in lower case."""
    name: str
    uid: str
    finalizers: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.resource}/{self.name} ({', '.join(self.finalizers)})"

    @property
    def remaining(self) -> tuple[str, ...]:
        """Return the finalizers that are left to Kubernetes' own controllers."""
        return tuple(name for name in self.finalizers if (self.resource, name) in _CONTROLLED)


def blocked_objects(client: clients.ClusterClient, namespace: str) -> list[BlockedObject]:
    """Return the objects of a namespace that are being deleted and have finalizers.

    An API group that does not answer is left out: an aggregated one, whose server may be gone for good, must not keep
    the finalizers of all others.

    :raises errors.Unavailable: when the apiserver does not answer.
    """
    found = []
    for base, resource in _namespaced(client):
        place = f"{base}/namespaces/{namespace}/{resource}"
        for item in _answered(base, functools.partial(_items, client, place)):
            metadata = item.get("metadata", {})
            if metadata.get("deletionTimestamp") and metadata.get("finalizers"):
                path = f"{place}/{metadata['name']}"
                found.append(
                    BlockedObject(path, resource, metadata["name"], metadata["uid"], tuple(metadata["finalizers"]))
                )
    return found


def remove_finalizers(client: clients.ClusterClient, blocked: BlockedObject) -> None:
    """Remove an object's finalizers, except those of Kubernetes' own controllers.

    :raises errors.NotFound: when the object is gone.
    """
    # With the UID, so that another object of the same name is not changed.
    metadata = {"uid": blocked.uid, "finalizers": list(blocked.remaining) or None}
    client.request("PATCH", blocked.path, body={"metadata": metadata}, content_type="application/merge-patch+json")


def _answered(base: str, ask: Callable[[], Iterable[Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    """Return what an API group answers; nothing if it is not the core group and does not answer."""
    try:
        return list(ask())
    except (errors.Unavailable, errors.NotFound) as error:
        if base == _CORE:
            raise
        LOG.info("%s is left out of the search for finalizers: %s", base, error)
        return []


def _items(client: clients.ClusterClient, path: str) -> Iterator[Mapping[str, Any]]:
    token = ""
    while True:
        parameters = {"limit": str(_PAGE), **({"continue": token} if token else {})}
        answer = client.request("GET", path, parameters=parameters, accept=_METADATA_ONLY)
        yield from answer.get("items") or ()
        token = answer.get("metadata", {}).get("continue") or ""
        if not token:
            return


def _namespaced(client: clients.ClusterClient) -> Iterator[tuple[str, str]]:
    """Yield the base path and the plural of each kind that lives in namespaces and can be listed and patched."""
    bases = [_CORE]
    groups = client.request("GET", "/apis").get("groups") or ()
    bases += [f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups]
    for base in bases:
        kinds = _answered(base, functools.partial(_kinds, client, base))
        for kind in kinds:
            if kind.get("namespaced") and "/" not in kind["name"] and {"list", "patch"} <= set(kind.get("verbs") or ()):
                yield base, kind["name"]


def _kinds(client: clients.ClusterClient, base: str) -> list[Mapping[str, Any]]:
    return list(client.request("GET", base).get("resources") or ())
