# SPDX-License-Identifier: Apache-2.0
"""The service ``csi.v1.Controller``: reads requests, has the volumes made, and writes the responses."""

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from hypernetes.csi import protocol
from hypernetes.csi import provisioning
from hypernetes.csi import server
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import names

SERVICE = "Controller"

GIB = 1 << 30
_MAX_NAME = 128

CLAIM_NAME, CLAIM_NAMESPACE = "csi.storage.k8s.io/pvc/name", "csi.storage.k8s.io/pvc/namespace"
"""Parameters that csi-provisioner adds with ``--extra-create-metadata``."""

_RPCS = ("CREATE_DELETE_VOLUME", "SINGLE_NODE_MULTI_WRITER")
_MODES = frozenset({"SINGLE_NODE_WRITER", "SINGLE_NODE_SINGLE_WRITER", "SINGLE_NODE_MULTI_WRITER"})
"""ReadWriteOnce and ReadWriteOncePod."""
_FILE_SYSTEMS = frozenset({"", "ext4"})


class Controller:
    """Answers csi-provisioner."""

    def __init__(self, provisioner: provisioning.Provisioner) -> None:
        self._provisioner = provisioner

    def methods(self) -> Mapping[str, server.Method]:
        """Return the service's methods."""
        return {
            "ControllerGetCapabilities": self.capabilities,
            "CreateVolume": self.create,
            "DeleteVolume": self.delete,
            "ValidateVolumeCapabilities": self.validate,
        }

    def capabilities(self, _request: Any) -> Any:
        """Return what this service can do."""
        kind = protocol.message("ControllerServiceCapability")
        made = [kind(rpc=kind.RPC(type=kind.RPC.Type.Value(name))) for name in _RPCS]
        return protocol.message("ControllerGetCapabilitiesResponse")(capabilities=made)

    def create(self, request: Any) -> Any:
        """Create the volume, or return the one that was created for the same name."""
        if not request.name or len(request.name) > _MAX_NAME:
            raise errors.BadRequest(reason=f"the volume's name must have 1 to {_MAX_NAME} characters")
        if refused := _refused(request.volume_capabilities):
            raise errors.BadRequest(reason=refused)
        if request.HasField("volume_content_source"):
            raise errors.BadRequest(reason="volumes cannot be made from snapshots or other volumes yet")
        parameters = dict(request.parameters)
        wish = provisioning.Wish(
            name=request.name,
            namespace=_required(parameters, CLAIM_NAMESPACE),
            claim=_required(parameters, CLAIM_NAME),
            volume_type=_required(parameters, names.VOLUME_TYPE_PARAMETER),
            size=size(request.capacity_range.required_bytes, request.capacity_range.limit_bytes),
            limit=request.capacity_range.limit_bytes // GIB or None,
        )
        made = self._provisioner.create(wish)
        volume = protocol.message("Volume")(volume_id=made.id, capacity_bytes=made.size * GIB)
        return protocol.message("CreateVolumeResponse")(volume=volume)

    def delete(self, request: Any) -> Any:
        """Delete the volume; one that is not known is gone."""
        self._provisioner.delete(ids.CinderVolumeId(_identifier(request)))
        return protocol.message("DeleteVolumeResponse")()

    def validate(self, request: Any) -> Any:
        """Say whether an existing volume can be used in these ways."""
        volume_id = _identifier(request)
        if not request.volume_capabilities:
            raise errors.BadRequest(reason="no volume capability is named")
        self._provisioner.require(ids.CinderVolumeId(volume_id))
        response = protocol.message("ValidateVolumeCapabilitiesResponse")()
        if refused := _refused(request.volume_capabilities):
            response.message = refused
        else:
            response.confirmed.volume_capabilities.extend(request.volume_capabilities)
        return response


def size(required: int, limit: int) -> int:
    """Return the GiB of a volume that has at least ``required`` bytes, and not more than ``limit``.

    :param limit: 0 for none.
    :raises server.OutOfRange: when there is no such number.
    """
    if required < 0 or limit < 0 or (limit and limit < required):
        raise server.OutOfRange(reason="the size is negative, or its limit is less than the size")
    gib = max(1, -(-required // GIB))
    if limit and gib * GIB > limit:
        raise server.OutOfRange(reason=f"volumes have whole GiB, and {gib} GiB is more than the limit of {limit} bytes")
    return gib


def _refused(capabilities: Iterable[Any]) -> str | None:
    """Return why a volume cannot be used in these ways, or None."""
    found = list(capabilities)
    if not found:
        return "no volume capability is named"
    for one in found:
        mode = type(one.access_mode).Mode.Name(one.access_mode.mode)
        if mode not in _MODES:
            return f"the access mode {mode} is not offered; use ReadWriteOnce or ReadWriteOncePod"
        if one.HasField("mount") and one.mount.fs_type not in _FILE_SYSTEMS:
            return f"the file system {one.mount.fs_type} is not offered; use ext4"
    return None


def _identifier(request: Any) -> str:
    if not request.volume_id:
        raise errors.BadRequest(reason="no volume is named")
    return str(request.volume_id)


def _required(parameters: Mapping[str, str], name: str) -> str:
    if not parameters.get(name):
        raise errors.BadRequest(reason=f"the parameter {name} is missing: see the StorageClass and csi-provisioner")
    return parameters[name]
