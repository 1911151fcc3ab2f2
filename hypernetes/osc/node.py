# SPDX-License-Identifier: Apache-2.0
"""``openstack kube node create|list|show|delete``."""

import argparse
from typing import Any

from osc_lib.command import command

from hypernetes.osc import clients
from hypernetes.osc import described
from hypernetes.osc import errors
from hypernetes.osc import shown
from hypernetes.osc import waiting
from hypernetes.sdk import proxy

WAIT_SECONDS = 600


class CreateNode(described.Described, command.ShowOne):
    """Create a node's record and its one-time enrollment secret, which is shown only now.

    Example:

      openstack kube node create node1 -c enrollment_secret -f value
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="<name>", help="Host name of the node, a DNS label.")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        with errors.explained():
            node = clients.kube(self).create(proxy.Node, name=parsed_args.name)
        return shown.one(node, shown.ENROLLING_NODE)


class ListNode(described.Described, command.Lister):
    """List nodes.

    Example:

      openstack kube node list -f json
    """

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ARG002
        with errors.explained():
            nodes = clients.kube(self).nodes()
            return shown.many(nodes, ("id", "name", "status", "address", "cluster_id", "last_seen_at"))


class ShowNode(described.Described, command.ShowOne):
    """Show a node.

    Examples:

      openstack kube node show node1
      openstack kube node show node1 --wait   (until its agent reports)
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_node(super().get_parser(prog_name))
        waiting.add_arguments(parser, WAIT_SECONDS)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        client = clients.kube(self)
        with errors.explained():
            node = client.find(proxy.Node, parsed_args.node)
            if parsed_args.wait:
                read = lambda: client.fetch(proxy.Node, node.id)  # noqa: E731
                node = waiting.until(f"node {node.name}", read, "UP", parsed_args.timeout)
        return shown.one(node, shown.NODE)


class DeleteNode(described.Described):
    """Delete a node: its credentials are revoked. A cluster's control node cannot be deleted.

    Example:

      openstack kube node delete node1 --wait
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_node(super().get_parser(prog_name))
        waiting.add_arguments(parser, WAIT_SECONDS)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        client = clients.kube(self)
        with errors.explained():
            node = client.find(proxy.Node, parsed_args.node)
            client.remove(proxy.Node, node.id)
            if parsed_args.wait:
                read = lambda: client.fetch(proxy.Node, node.id)  # noqa: E731
                waiting.until(f"node {node.name}", read, None, parsed_args.timeout)


def _with_node(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("node", metavar="<node>", help="Name or id of the node.")
    return parser
