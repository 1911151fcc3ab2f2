# SPDX-License-Identifier: Apache-2.0
"""Renders results and errors as the CNI specification 1.1 defines them. Pure functions."""

from collections.abc import Mapping
from typing import Any

from hypernetes.cni import errors
from hypernetes.cni import request


def added(version: str, asked: Mapping[str, Any], port: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of ADD: the TAP on the host, and the interface of the pod's virtual machine.

    The sandbox's network namespace itself stays empty: the address is in the virtual machine.
    """
    pod_interface: dict[str, Any] = {"name": asked["interface"], "mac": port["mac"], "sandbox": asked["netns"]}
    if version == "1.1.0":
        pod_interface["mtu"] = port["mtu"]
    default = next((r["gateway"] for r in port["routes"] if r["destination"] in {"0.0.0.0/0", "::/0"}), None)
    addresses: list[dict[str, Any]] = []
    for address in port["addresses"]:
        entry = {"address": address, "interface": 1}
        if default is not None and (":" in default) == (":" in address):
            entry["gateway"] = default
        addresses.append(entry)
    return {
        "cniVersion": version,
        "interfaces": [{"name": port["tap"]}, pod_interface],
        "ips": addresses,
        "routes": [{"dst": r["destination"], "gw": r["gateway"]} for r in port["routes"]],
        "dns": {"nameservers": list(port["name_servers"])},
    }


def versions() -> dict[str, Any]:
    """Return the result of VERSION."""
    return {"cniVersion": request.SUPPORTED_VERSIONS[-1], "supportedVersions": list(request.SUPPORTED_VERSIONS)}


def failed(version: str | None, error: errors.CniError) -> dict[str, Any]:
    """Return an error in the version that the runtime asked for, where it is known."""
    if version not in request.SUPPORTED_VERSIONS:
        version = request.SUPPORTED_VERSIONS[-1]
    answer: dict[str, Any] = {"cniVersion": version, "code": error.code, "msg": error.message}
    if error.details:
        answer["details"] = error.details
    return answer
