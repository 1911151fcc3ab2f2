# SPDX-License-Identifier: Apache-2.0
"""Phase ``forget-admin``: the administrators' kubeconfigs leave the node once the conductor has its own."""

from collections.abc import Mapping

from hypernetes.agent import bootstrap
from hypernetes.agent.host import node as nodes

FILES = ("admin.conf", "super-admin.conf")


def run(node: nodes.Node, inputs: Mapping[str, str]) -> bootstrap.Outputs:
    """Delete them if they exist. The CA's key stays, so an operator can issue new ones."""
    del inputs
    for name in FILES:
        (node.layout.kubernetes / name).unlink(missing_ok=True)
    return {}
