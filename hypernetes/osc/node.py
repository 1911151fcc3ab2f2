# SPDX-License-Identifier: Apache-2.0
"""``openstack kube node create|list|show|set|delete``."""

import argparse
from typing import Any

from osc_lib import exceptions
from osc_lib.command import command

from hypernetes.osc import clients
from hypernetes.osc import columns
from hypernetes.osc import deletion
from hypernetes.osc import errors
from hypernetes.osc import help_format
from hypernetes.osc import listing
from hypernetes.osc import wait

WAIT_SECONDS = 600


class CreateNode(help_format.Preformatted, command.ShowOne):
    """Create a node and its enrollment secret, which can be used once and is shown only now.

    Example:

      openstack kube node create node1 -c enrollment_secret -f value
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="<name>", help="Host name of the node: a DNS label.")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        with errors.reported():
            node = clients.kube(self).create_node(name=parsed_args.name)
        return columns.show(node, columns.CREATED_NODE)


class ListNode(help_format.Preformatted, command.Lister):
    """List nodes.

    Examples:

      openstack kube node list
      openstack kube node list --long -f json
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        listing.add_arguments(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        fields = columns.NODES_LONG if parsed_args.long else columns.NODES
        with errors.reported():
            return columns.table(clients.kube(self).nodes(**listing.query(parsed_args)), fields)


class ShowNode(help_format.Preformatted, command.ShowOne):
    """Show a node.

    Examples:

      openstack kube node show node1
      openstack kube node show node1 --wait   (until its agent reports)
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("node", metavar="<node>", help="Node to show (name or ID).")
        wait.add_arguments(parser, WAIT_SECONDS)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        client = clients.kube(self)
        with errors.reported():
            node: Any = client.find_node(parsed_args.node, ignore_missing=False)
            if parsed_args.wait:
                identifier = node.id
                node = wait.until(f"node {node.name}", lambda: client.get_node(identifier), "UP", parsed_args.timeout)
        return columns.show(node, columns.NODE)


class SetNode(help_format.Preformatted, command.Command):
    """Disable a node, so that no new pods start there, or enable it again.

    The pods that run on a disabled node continue until they are evicted or deleted. A node that
    was cordoned with kubectl before it was disabled stays cordoned when it is enabled.

    Examples:

      openstack kube node set node1 --disable --reason "new memory"
      openstack kube node set node1 --enable
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("node", metavar="<node>", help="Node to change (name or ID).")
        state = parser.add_mutually_exclusive_group(required=True)
        state.add_argument("--enable", action="store_true", help="Let new pods start on the node.")
        state.add_argument("--disable", action="store_true", help="Let no new pods start on the node.")
        parser.add_argument("--reason", metavar="<reason>", help="Why the node is disabled; only with --disable.")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        if parsed_args.reason is not None and not parsed_args.disable:
            raise exceptions.CommandError("--reason is for --disable only; leave it out to enable the node.")
        attributes: dict[str, Any] = {"disabled": parsed_args.disable}
        if parsed_args.reason is not None:
            attributes["disabled_reason"] = parsed_args.reason
        client = clients.kube(self)
        with errors.reported():
            node: Any = client.find_node(parsed_args.node, ignore_missing=False)
            client.update_node(node.id, **attributes)


class DeleteNode(deletion.DeleteCommand):
    """Delete nodes and revoke their credentials. One that belongs to a cluster cannot be deleted.

    Example:

      openstack kube node delete node1 node2 --wait
    """

    noun = "node"
    wait_seconds = WAIT_SECONDS
