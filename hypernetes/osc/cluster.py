# SPDX-License-Identifier: Apache-2.0
"""``openstack kube cluster create|list|show|delete|retry``."""

import argparse
from typing import Any

from osc_lib.command import command

from hypernetes.osc import clients
from hypernetes.osc import described
from hypernetes.osc import errors
from hypernetes.osc import shown
from hypernetes.osc import waiting
from hypernetes.sdk import proxy

WAIT_SECONDS = 1800
"""A bootstrap takes under a minute once images are near; pulling them may take long."""


class CreateCluster(described.Described, command.ShowOne):
    """Create a Kubernetes cluster on nodes that are enrolled.

    Example:

      openstack kube cluster create demo --control-node node1 --wait
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="<name>", help="Name of the cluster, a DNS label.")
        parser.add_argument(
            "--control-node",
            metavar="<node>",
            action="append",
            required=True,
            help="Node (name or id) that runs apiserver and etcd.",
        )
        parser.add_argument("--kubernetes-version", metavar="<version>", help="For instance v1.37.2.")
        parser.add_argument("--service-subnet", metavar="<cidr>", help="Addresses of Services.")
        waiting.add_arguments(parser, WAIT_SECONDS)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        client = clients.kube(self)
        wishes = {
            "kubernetes_version": parsed_args.kubernetes_version,
            "service_subnet": parsed_args.service_subnet,
        }
        with errors.explained():
            cluster = client.create(
                proxy.Cluster,
                name=parsed_args.name,
                control_nodes=parsed_args.control_node,
                **{key: value for key, value in wishes.items() if value is not None},
            )
            if parsed_args.wait:
                cluster = _until_active(client, cluster, parsed_args.timeout)
        return shown.one(cluster, shown.CLUSTER)


class ListCluster(described.Described, command.Lister):
    """List Kubernetes clusters.

    Example:

      openstack kube cluster list -f json
    """

    def take_action(self, parsed_args: argparse.Namespace) -> Any:  # noqa: ARG002
        with errors.explained():
            clusters = clients.kube(self).clusters()
            return shown.many(clusters, ("id", "name", "status", "kubernetes_version", "api_address"))


class ShowCluster(described.Described, command.ShowOne):
    """Show a Kubernetes cluster.

    Example:

      openstack kube cluster show demo -c status -f value
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_cluster(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        with errors.explained():
            cluster = clients.kube(self).find(proxy.Cluster, parsed_args.cluster)
            return shown.one(cluster, shown.CLUSTER)


class DeleteCluster(described.Described):
    """Delete a Kubernetes cluster that has no namespaces any more; its nodes are reset.

    Example:

      openstack kube cluster delete demo --wait
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_cluster(super().get_parser(prog_name))
        waiting.add_arguments(parser, WAIT_SECONDS)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        client = clients.kube(self)
        with errors.explained():
            cluster = client.find(proxy.Cluster, parsed_args.cluster)
            client.remove(proxy.Cluster, cluster.id)
            if parsed_args.wait:
                read = lambda: client.fetch(proxy.Cluster, cluster.id)  # noqa: E731
                waiting.until(f"cluster {cluster.name}", read, None, parsed_args.timeout)


class RetryCluster(described.Described, command.ShowOne):
    """Resume the creation of a cluster in ERROR at the phase that failed.

    Example:

      openstack kube cluster retry demo --wait
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_cluster(super().get_parser(prog_name))
        waiting.add_arguments(parser, WAIT_SECONDS)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        client = clients.kube(self)
        with errors.explained():
            cluster = client.find(proxy.Cluster, parsed_args.cluster)
            client.retry_cluster(cluster.id)
            if parsed_args.wait:
                cluster = _until_active(client, cluster, parsed_args.timeout)
            else:
                cluster = client.fetch(proxy.Cluster, cluster.id)
        return shown.one(cluster, shown.CLUSTER)


def _with_cluster(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("cluster", metavar="<cluster>", help="Name or id of the cluster.")
    return parser


def _until_active(client: Any, cluster: Any, seconds: int) -> Any:
    read = lambda: client.fetch(proxy.Cluster, cluster.id)  # noqa: E731
    return waiting.until(f"cluster {cluster.name}", read, "ACTIVE", seconds)
