# SPDX-License-Identifier: Apache-2.0
"""``openstack kube namespace create|list|show|set|unset|delete``."""

import argparse
from typing import Any

from osc_lib.cli import parseractions
from osc_lib.command import command

from hypernetes.osc import clients
from hypernetes.osc import columns
from hypernetes.osc import default_cluster
from hypernetes.osc import deletion
from hypernetes.osc import errors
from hypernetes.osc import help_format
from hypernetes.osc import listing
from hypernetes.osc import wait

WAIT_SECONDS = 300


class CreateNamespace(help_format.Preformatted, command.ShowOne):
    """Create a namespace of this project, with its network.

    Examples:

      openstack kube namespace create web --cluster demo --wait
      openstack kube namespace create web --cluster demo --subnet-cidr 10.1.0.0/24
      openstack kube namespace create web --cluster demo --network my-network
      openstack kube namespace create web --description "The shop" --label team=shop
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "name", metavar="<name>", help="Name of the namespace: a DNS label that is unique in the cluster."
        )
        parser.add_argument(
            "--cluster", metavar="<cluster>", help="Cluster (name or ID); may be omitted if just one is ACTIVE."
        )
        network = parser.add_mutually_exclusive_group()
        network.add_argument("--network", metavar="<network>", help="Existing network to use (name or ID).")
        network.add_argument(
            "--subnet-cidr",
            metavar="<cidr>",
            help="CIDR of the namespace's subnet (default: the next one of the project's subnet pool).",
        )
        _add_description(parser)
        wait.add_arguments(parser, WAIT_SECONDS)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        client = clients.kube(self)
        with errors.reported():
            attributes: dict[str, Any] = {"name": parsed_args.name, **_description(parsed_args)}
            attributes["cluster"] = parsed_args.cluster or default_cluster.find(client, "with --cluster").id
            if parsed_args.subnet_cidr:
                attributes["subnet_cidr"] = parsed_args.subnet_cidr
            if parsed_args.network:
                network = clients.connection(self).network
                attributes["network_id"] = network.find_network(parsed_args.network, ignore_missing=False).id
            namespace = client.create_namespace(**attributes)
            if parsed_args.wait:
                identifier = namespace.id
                namespace = wait.until(
                    f"namespace {namespace.name}",
                    lambda: client.get_namespace(identifier),
                    "ACTIVE",
                    parsed_args.timeout,
                )
        return columns.show(namespace, columns.NAMESPACE)


class ListNamespace(help_format.Preformatted, command.Lister):
    """List this project's namespaces.

    Examples:

      openstack kube namespace list
      openstack kube namespace list --cluster demo --long
      openstack kube namespace list --all-projects -f json
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--all-projects", action="store_true", help="List namespaces of all projects (admin only).")
        parser.add_argument("--cluster", metavar="<cluster>", help="List namespaces of this cluster only (name or ID).")
        listing.add_arguments(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        client = clients.kube(self)
        fields = columns.NAMESPACES_LONG if parsed_args.long else columns.NAMESPACES
        query = listing.query(parsed_args)
        with errors.reported():
            if parsed_args.all_projects:
                query["all_projects"] = True
                fields = (*fields, "project_id")
            if parsed_args.cluster:
                cluster: Any = client.find_cluster(parsed_args.cluster, ignore_missing=False)
                query["cluster_id"] = cluster.id
            return columns.table(client.namespaces(**query), fields)


class ShowNamespace(help_format.Preformatted, command.ShowOne):
    """Show a namespace.

    Example:

      openstack kube namespace show web
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("namespace", metavar="<namespace>", help="Namespace to show (name or ID).")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        with errors.reported():
            namespace = clients.kube(self).find_namespace(parsed_args.namespace, ignore_missing=False)
        return columns.show(namespace, columns.NAMESPACE)


class SetNamespace(help_format.Preformatted, command.Command):
    """Set a namespace's description, and labels of the Kubernetes namespace; other labels are kept.

    The operator decides which keys are allowed: those without a prefix, unless configured otherwise.

    Examples:

      openstack kube namespace set web --description "The shop"
      openstack kube namespace set web --label team=shop --label app.kubernetes.io/part-of=shop
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("namespace", metavar="<namespace>", help="Namespace to change (name or ID).")
        _add_description(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        _update(self, parsed_args.namespace, _description(parsed_args))


class UnsetNamespace(help_format.Preformatted, command.Command):
    """Remove a namespace's description, or labels of the Kubernetes namespace.

    Examples:

      openstack kube namespace unset web --description
      openstack kube namespace unset web --label team
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("namespace", metavar="<namespace>", help="Namespace to change (name or ID).")
        parser.add_argument("--description", action="store_true", help="Remove the description.")
        parser.add_argument(
            "--label", metavar="<key>", action="append", default=[], help="Label to remove (repeat for several)."
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        attributes: dict[str, Any] = {}
        if parsed_args.description:
            attributes["description"] = None
        if parsed_args.label:
            attributes["labels"] = dict.fromkeys(parsed_args.label)
        _update(self, parsed_args.namespace, attributes)


def _add_description(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--description", metavar="<description>", help="What the namespace is for; one line.")
    parser.add_argument(
        "--label",
        metavar="<key=value>",
        action=parseractions.KeyValueAction,
        help="Label of the Kubernetes namespace (repeat for several).",
    )


def _description(parsed_args: argparse.Namespace) -> dict[str, Any]:
    attributes = {"description": parsed_args.description, "labels": parsed_args.label}
    return {name: value for name, value in attributes.items() if value is not None}


def _update(asked: command.Command, name: str, attributes: dict[str, Any]) -> None:
    client = clients.kube(asked)
    with errors.reported():
        namespace: Any = client.find_namespace(name, ignore_missing=False)
        if attributes:
            client.update_namespace(namespace.id, **attributes)


class DeleteNamespace(deletion.DeleteCommand):
    """Delete namespaces with everything in them, and the networks that were created for them.

    Examples:

      openstack kube namespace delete web --wait
      openstack kube namespace delete web batch
    """

    noun = "namespace"
    wait_seconds = WAIT_SECONDS
