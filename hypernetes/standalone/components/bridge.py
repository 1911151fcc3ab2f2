# SPDX-License-Identifier: Apache-2.0
"""The bridges: ``hn0`` between control services and nodes, ``hn1`` for the tunnels between nodes."""

from __future__ import annotations

import json
from typing import Any

from hypernetes.standalone import addresses
from hypernetes.standalone import machine
from hypernetes.standalone.component import Component
from hypernetes.standalone.installation import Installation

# Set as the device's alias, so that `clean` never removes another owner's bridge of the same name.
OWNER_MARK = "hypernetes-standalone"


def link(name: str) -> dict[str, Any] | None:
    """Return the kernel's description of a network device; None if it does not exist."""
    try:
        found = json.loads(machine.run(["ip", "-details", "-json", "address", "show", "dev", name]))
    except machine.CommandFailed:
        return None
    return dict(found[0]) if found else None


def start(_installation: Installation) -> None:
    """Create the bridges, and assign the address of the control services.

    :raises StandaloneError: when a device of such a name exists that was not created here.
    """
    for name in (addresses.BRIDGE, addresses.UNDERLAY):
        _ensure(name)
    machine.run(["ip", "address", "replace", f"{addresses.CONTROL}/{addresses.PREFIX_LENGTH}", "dev", addresses.BRIDGE])
    machine.run(["ip", "link", "set", "lo", "up"])


def _ensure(name: str) -> None:
    device = link(name)
    if device and device.get("ifalias") != OWNER_MARK:
        raise machine.StandaloneError(f"a network device {name} exists that was not created here; rename or remove it")
    if device is None:
        machine.run(["ip", "link", "add", name, "type", "bridge"])
        machine.run(["ip", "link", "set", name, "alias", OWNER_MARK])
    machine.run(["ip", "link", "set", name, "up"])


def stop(_installation: Installation) -> None:
    """Remove the bridges that were created here."""
    for name in (addresses.BRIDGE, addresses.UNDERLAY):
        device = link(name)
        if device and device.get("ifalias") == OWNER_MARK:
            machine.run(["ip", "link", "delete", name])


COMPONENT = Component(
    name="bridge", summary="bridges hn0 for control services and nodes, hn1 for tunnels", start=start, stop=stop
)
