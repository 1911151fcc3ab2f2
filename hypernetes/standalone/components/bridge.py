# SPDX-License-Identifier: Apache-2.0
"""The bridge ``hn0``: the network between control services and nodes."""

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
    """Create the bridge and assign its address.

    :raises StandaloneError: when a device of that name exists that was not created here.
    """
    device = link(addresses.BRIDGE)
    if device and device.get("ifalias") != OWNER_MARK:
        raise machine.StandaloneError(
            f"a network device {addresses.BRIDGE} exists that was not created here; rename or remove it"
        )
    if device is None:
        machine.run(["ip", "link", "add", addresses.BRIDGE, "type", "bridge"])
        machine.run(["ip", "link", "set", addresses.BRIDGE, "alias", OWNER_MARK])
    machine.run(["ip", "address", "replace", f"{addresses.CONTROL}/{addresses.PREFIX_LENGTH}", "dev", addresses.BRIDGE])
    machine.run(["ip", "link", "set", addresses.BRIDGE, "up"])
    machine.run(["ip", "link", "set", "lo", "up"])


def stop(_installation: Installation) -> None:
    """Remove the bridge if it was created here."""
    device = link(addresses.BRIDGE)
    if device and device.get("ifalias") == OWNER_MARK:
        machine.run(["ip", "link", "delete", addresses.BRIDGE])


COMPONENT = Component(name="bridge", summary="bridge hn0 for control services and nodes", start=start, stop=stop)
