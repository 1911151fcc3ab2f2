# SPDX-License-Identifier: Apache-2.0
"""A volume each for red and blue, and who sees it; only for ``up --with cinder``."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hypernetes.standalone import client
from hypernetes.standalone import machine
from hypernetes.standalone.component import Component
from hypernetes.standalone.components import tenants
from hypernetes.standalone.installation import Installation

CLAIM = "data"
BOUND_TIMEOUT = 180.0


def claim(name: str = CLAIM, size: str = "1Gi") -> dict[str, Any]:
    """Return an ordinary claim: nothing in it says in which project its volume is made."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}},
    }


def start(installation: Installation) -> None:
    """Make the claims, wait for their volumes, and check whose they are.

    :raises StandaloneError: when a volume is in no project or in a wrong one.
    """

    def bring(user: str) -> str:
        client.kubectl(installation, user, "-n", user, "apply", "-f", "-", stdin=json.dumps(claim()))
        machine.wait_until(
            lambda: bool(volume_of(installation, user)), f"the volume of {user}'s claim", timeout=BOUND_TIMEOUT
        )
        return volume_of(installation, user)

    with ThreadPoolExecutor(len(tenants.TENANTS)) as both:
        made = dict(zip(tenants.TENANTS, both.map(bring, tenants.TENANTS), strict=True))
        seen = dict(zip(made, both.map(lambda user: visible(installation, user), made), strict=True))
    for user, volume in made.items():
        others = {theirs for other, theirs in made.items() if other != user}
        if volume not in seen[user] or others & seen[user]:
            raise machine.StandaloneError(f"{user} sees the volumes {seen[user]}, and its own is {volume}")
    lines = "".join(f"    {user}'s claim: volume {volume} of {user}'s project\n" for user, volume in made.items())
    installation.say(lines)


def volume_of(installation: Installation, user: str, name: str = CLAIM) -> str:
    """Return the Cinder volume of a claim as the PersistentVolume has it; empty while the claim is not bound."""
    bound = json.loads(client.kubectl(installation, user, "-n", user, "get", "pvc", name, "-o", "json"))
    if bound["status"].get("phase") != "Bound":
        return ""
    # Tenants do not read PersistentVolumes; their own Cinder volume has the same name.
    listed = json.loads(client.openstack(installation, user, "volume", "list", "-f", "json"))
    return next((str(one["ID"]) for one in listed if one["Name"] == bound["spec"]["volumeName"]), "")


def visible(installation: Installation, user: str) -> set[str]:
    """Return the volumes that Cinder shows to a user."""
    return {str(one["ID"]) for one in json.loads(client.openstack(installation, user, "volume", "list", "-f", "json"))}


def ready(installation: Installation) -> bool:
    """Return whether both have a volume."""
    try:
        return all(volume_of(installation, user) for user in tenants.TENANTS)
    except machine.CommandFailed:
        return False


COMPONENT = Component(
    name="volumes",
    summary="a volume each for red and blue",
    needs=("hypernetes-csi", "demonstration"),
    start=start,
    ready=ready,
    timeout=BOUND_TIMEOUT + 60,
    optional=True,
)
