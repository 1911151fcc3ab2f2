# SPDX-License-Identifier: Apache-2.0
"""``openstack kube namespace create|list|show|delete``."""

import argparse
from typing import Any

from osc_lib import exceptions
from osc_lib.command import command

from hypernetes.osc import clients
from hypernetes.osc import described
from hypernetes.osc import errors
from hypernetes.osc import shown
from hypernetes.osc import waiting
from hypernetes.sdk import proxy

WAIT_SECONDS = 300


class CreateNamespace(described.Described, command.ShowOne):
    """Create a namespace of this project, with its network.

    Examples:

      openstack kube namespace create web --cluster demo --wait
      openstack kube namespace create web --cluster demo --subnet-cidr 10.1.0.0/24
      openstack kube namespace create web --cluster demo --network my-network
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="<name>", help="Name of the namespace, a DNS label; unique in the cluster.")
        parser.add_argument(
            "--cluster", metavar="<cluster>", help="Name or id of the cluster; may be left out if there is only one."
        )
        network = parser.add_mutually_exclusive_group()
        network.add_argument("--network", metavar="<network>", help="Name or id of a network of yours to use.")
        network.add_argument("--subnet-cidr", metavar="<cidr>", help="Addresses of the namespace's new network.")
        waiting.add_arguments(parser, WAIT_SECONDS)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        client = clients.kube(self)
        with errors.explained():
            wishes: dict[str, Any] = {"name": parsed_args.name}
            wishes["cluster"] = parsed_args.cluster or only_cluster(client).id
            if parsed_args.subnet_cidr:
                wishes["subnet_cidr"] = parsed_args.subnet_cidr
            if parsed_args.network:
                network = clients.connection(self).network
                wishes["network_id"] = network.find_network(parsed_args.network, ignore_missing=False).id
            namespace = client.create(proxy.Namespace, **wishes)
            if parsed_args.wait:
                read = lambda: client.fetch(proxy.Namespace, namespace.id)  # noqa: E731
                namespace = waiting.until(f"namespace {namespace.name}", read, "ACTIVE", parsed_args.timeout)
        return shown.one(namespace, shown.NAMESPACE)


class ListNamespace(described.Described, command.Lister):
    """List this project's namespaces.

    Examples:

      openstack kube namespace list
      openstack kube namespace list --all-projects -f json   (for administrators)
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--all-projects", action="store_true", help="Those of every project (administrators only).")
        parser.add_argument("--cluster", metavar="<cluster>", help="Only those in this cluster (name or id).")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        client = clients.kube(self)
        fields: tuple[str, ...] = ("id", "name", "status", "cluster_id", "network_id", "subnet_cidr")
        query: dict[str, Any] = {}
        with errors.explained():
            if parsed_args.all_projects:
                query["all_projects"] = "true"
                fields = (*fields, "project_id")
            if parsed_args.cluster:
                query["cluster_id"] = client.find(proxy.Cluster, parsed_args.cluster).id
            return shown.many(client.namespaces(**query), fields)


class ShowNamespace(described.Described, command.ShowOne):
    """Show a namespace.

    Example:

      openstack kube namespace show web
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_namespace(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        with errors.explained():
            namespace = clients.kube(self).find(proxy.Namespace, parsed_args.namespace)
            return shown.one(namespace, shown.NAMESPACE)


class DeleteNamespace(described.Described):
    """Delete a namespace with everything in it, and the network that was made for it.

    Example:

      openstack kube namespace delete web --wait
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_namespace(super().get_parser(prog_name))
        waiting.add_arguments(parser, WAIT_SECONDS)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        client = clients.kube(self)
        with errors.explained():
            namespace = client.find(proxy.Namespace, parsed_args.namespace)
            client.remove(proxy.Namespace, namespace.id)
            if parsed_args.wait:
                read = lambda: client.fetch(proxy.Namespace, namespace.id)  # noqa: E731
                waiting.until(f"namespace {namespace.name}", read, None, parsed_args.timeout)


def only_cluster(client: Any) -> Any:
    """The cluster, if there is just one.

    :raises exceptions.CommandError: there are none or several.
    """
    clusters = list(client.clusters())
    if len(clusters) == 1:
        return clusters[0]
    names = ", ".join(cluster.name for cluster in clusters) or "none"
    raise exceptions.CommandError(f"say which cluster is meant; there are: {names}")


def _with_namespace(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("namespace", metavar="<namespace>", help="Name or id of the namespace.")
    return parser
