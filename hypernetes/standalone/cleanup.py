# SPDX-License-Identifier: Apache-2.0
"""Stops and removes what was started or created here, known by its identity and never by a name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hypernetes.standalone import cgroups
from hypernetes.standalone import client
from hypernetes.standalone import component
from hypernetes.standalone import machine
from hypernetes.standalone import mounts
from hypernetes.standalone import ownership
from hypernetes.standalone.component import Component
from hypernetes.standalone.installation import Installation

GRACE = 45.0


def down(installation: Installation, table: Mapping[str, Component]) -> None:
    """Stop every process and remove kernel objects; files stay.

    Nodes go first, so that they can release what they hold at control services.
    """
    for node in installation.nodes():
        installation.node_supervisor(node).end(grace=GRACE)
    cgroups.ProcessGroup("build").end(grace=5)
    installation.control.end(grace=GRACE)
    for name in reversed(component.order(table)):
        table[name].stop(installation)
    # Not the state directory itself: it may be a file system of the operator.
    mounts.unmount_below(installation.layout.nodes)
    mounts.unmount_below(installation.layout.namespaces)


def clean(installation: Installation, table: Mapping[str, Component], *, keep_cache: bool) -> None:
    """Run ``down``, then remove all files, directories and mounts of the installation."""
    layout = installation.layout
    down(installation, table)
    for one in cgroups.hierarchies():
        cgroups.remove(one.mount_point / cgroups.DIRECTORY)
        cgroups.remove(one.mount_point / cgroups.NODES_DIRECTORY)
    for mount_point in reversed(installation.recorded("mounts")):
        machine.run(["umount", mount_point], check=False)
    for directory in reversed(installation.recorded("folders")):
        # Only while empty: something else may have moved in meanwhile.
        try:
            Path(directory).rmdir()
        except OSError:
            continue
    client.forget_tokens(installation)
    ownership.remove(layout.state)
    if not keep_cache:
        ownership.remove(layout.cache)
