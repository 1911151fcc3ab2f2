# SPDX-License-Identifier: Apache-2.0
"""The service ``csi.v1.Identity``: who the driver is and what it offers."""

import importlib.metadata
from collections.abc import Mapping
from typing import Any

from hypernetes.csi import protocol
from hypernetes.csi import server
from hypernetes.model import names

SERVICE = "Identity"


def methods() -> Mapping[str, server.Method]:
    """Return the service's methods."""
    return {"GetPluginInfo": _info, "GetPluginCapabilities": _capabilities, "Probe": _probe}


def _info(_request: Any) -> Any:
    try:
        version = importlib.metadata.version("hypernetes")
    except importlib.metadata.PackageNotFoundError:
        version = "unknown"
    return protocol.message("GetPluginInfoResponse")(name=names.CSI_DRIVER, vendor_version=version)


def _capabilities(_request: Any) -> Any:
    kind = protocol.message("PluginCapability")
    controller = kind(service=kind.Service(type=kind.Service.Type.Value("CONTROLLER_SERVICE")))
    return protocol.message("GetPluginCapabilitiesResponse")(capabilities=[controller])


def _probe(_request: Any) -> Any:
    response = protocol.message("ProbeResponse")()
    response.ready.value = True
    return response
