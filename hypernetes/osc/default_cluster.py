# SPDX-License-Identifier: Apache-2.0
"""Which cluster a command means when none is named."""

from typing import Any

from osc_lib import exceptions

ACTIVE = "ACTIVE"


def find(client: Any, how_to_choose: str) -> Any:
    """Return the cluster that is ACTIVE, if there is just one.

    :param how_to_choose: how the command is given a cluster, for the message: ``with --cluster``.
    :raises exceptions.CommandError: when there are none or several.
    """
    clusters = list(client.clusters())
    active = [cluster for cluster in clusters if cluster.status == ACTIVE]
    if len(active) == 1:
        return active[0]
    if active:
        names = ", ".join(cluster.name for cluster in active)
        raise exceptions.CommandError(f"more than one cluster exists; choose one {how_to_choose}: {names}")
    if clusters:
        states = ", ".join(f"{cluster.name} is {cluster.status}" for cluster in clusters)
        raise exceptions.CommandError(f"no cluster is ACTIVE ({states}); wait until one is, or ask the operator")
    raise exceptions.CommandError("no cluster exists; ask the operator to create one")
