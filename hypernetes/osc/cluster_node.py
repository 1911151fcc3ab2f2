# SPDX-License-Identifier: Apache-2.0
"""``openstack kube cluster node add|remove|list``."""

import argparse
import functools
from typing import Any

from osc_lib.command import command

from hypernetes.osc import clients
from hypernetes.osc import columns
from hypernetes.osc import errors
from hypernetes.osc import help_format
from hypernetes.osc import wait

WAIT_SECONDS = 900
CONTROL = "control"
WORKER = "worker"


def _add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.add_argument("cluster", metavar="<cluster>", help="Cluster of the node (name or ID).")
    parser.add_argument("node", metavar="<node>", help=f"Node to {verb} (name or ID).")
    wait.add_arguments(parser, WAIT_SECONDS)


class AddClusterNode(help_format.Preformatted, command.ShowOne):
    """Add an enrolled node to a cluster as a worker, on which pods run.

    Example:

      openstack kube cluster node add demo node2 --wait
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        _add_arguments(parser, "add")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        client = clients.kube(self)
        with errors.reported():
            cluster: Any = client.find_cluster(parsed_args.cluster, ignore_missing=False)
            node: Any = client.find_node(parsed_args.node, ignore_missing=False)
            client.add_cluster_node(cluster.id, node.id)
            fetch = functools.partial(client.get_node, node.id)
            if parsed_args.wait:
                wait.until(f"node {node.name}", lambda: _Progress(fetch()), "MEMBER", parsed_args.timeout)
            return columns.show(fetch(), columns.NODE)


class RemoveClusterNode(help_format.Preformatted, command.Command):
    """Remove a worker from its cluster: its pods are evicted, and the node is reset.

    The node stays enrolled and can be added to a cluster again. Use --force for a node that does not
    come back; if it does, its agent resets it.

    Examples:

      openstack kube cluster node remove demo node2 --wait
      openstack kube cluster node remove demo node2 --force
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        _add_arguments(parser, "remove")
        parser.add_argument("--force", action="store_true", help="Wait neither for its pods nor for its agent.")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        client = clients.kube(self)
        with errors.reported():
            cluster: Any = client.find_cluster(parsed_args.cluster, ignore_missing=False)
            node: Any = client.find_node(parsed_args.node, ignore_missing=False)
            client.remove_cluster_node(cluster.id, node.id, force=parsed_args.force)
            if parsed_args.wait:
                fetch = functools.partial(client.get_node, node.id)
                wait.until(f"node {node.name}", lambda: _Progress(fetch()), _Progress.FREE, parsed_args.timeout)


class ListClusterNode(help_format.Preformatted, command.Lister):
    """List the nodes of a cluster.

    Example:

      openstack kube cluster node list demo
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("cluster", metavar="<cluster>", help="Cluster whose nodes are listed (name or ID).")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        client = clients.kube(self)
        with errors.reported():
            cluster: Any = client.find_cluster(parsed_args.cluster, ignore_missing=False)
            found = [_Row(node, cluster) for node in client.nodes(cluster_id=cluster.id)]
        return columns.table(found, columns.CLUSTER_NODES)


class _Row:
    """A node, with its role in the cluster."""

    def __init__(self, node: Any, cluster: Any) -> None:
        self._node = node
        self.role = CONTROL if node.id in (cluster.control_node_ids or ()) else WORKER

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node, name)


class _Progress:
    """A node as something to wait for: its status is how far it is on its way."""

    FREE = "in no cluster"

    def __init__(self, node: Any) -> None:
        self.status = node.membership or self.FREE
        self.status_reason = node.membership_reason
