# SPDX-License-Identifier: Apache-2.0
"""``openstack kube cluster create|list|show|health|delete|retry``."""

import argparse
from typing import Any

from osc_lib.command import command

from hypernetes.osc import clients
from hypernetes.osc import columns
from hypernetes.osc import deletion
from hypernetes.osc import errors
from hypernetes.osc import help_format
from hypernetes.osc import listing
from hypernetes.osc import neutron_agents
from hypernetes.osc import wait

WAIT_SECONDS = 1800
"""A bootstrap takes under a minute once images are on the node; pulling them may take long."""


class CreateCluster(help_format.Preformatted, command.ShowOne):
    """Create a Kubernetes cluster on enrolled nodes.

    Example:

      openstack kube cluster create demo --control-node node1 --wait
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="<name>", help="Name of the cluster: a DNS label.")
        parser.add_argument(
            "--control-node",
            metavar="<node>",
            action="append",
            required=True,
            help="Node that runs kube-apiserver and etcd (name or ID).",
        )
        parser.add_argument(
            "--kubernetes-version",
            metavar="<version>",
            help="Kubernetes version, for example v1.37.2 (default: the operator's).",
        )
        parser.add_argument(
            "--service-subnet", metavar="<cidr>", help="CIDR of the addresses of Services (default: the operator's)."
        )
        wait.add_arguments(parser, WAIT_SECONDS)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        client = clients.kube(self)
        optional = {
            "kubernetes_version": parsed_args.kubernetes_version,
            "service_subnet": parsed_args.service_subnet,
        }
        with errors.reported():
            cluster = client.create_cluster(
                name=parsed_args.name,
                control_nodes=parsed_args.control_node,
                **{name: value for name, value in optional.items() if value is not None},
            )
            if parsed_args.wait:
                cluster = _wait_until_active(client, cluster, parsed_args.timeout)
        return columns.show(cluster, columns.CLUSTER)


class ListCluster(help_format.Preformatted, command.Lister):
    """List Kubernetes clusters.

    Examples:

      openstack kube cluster list
      openstack kube cluster list --long -f json
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        listing.add_arguments(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        fields = columns.CLUSTERS_LONG if parsed_args.long else columns.CLUSTERS
        with errors.reported():
            return columns.table(clients.kube(self).clusters(**listing.query(parsed_args)), fields)


class ShowCluster(help_format.Preformatted, command.ShowOne):
    """Show a Kubernetes cluster.

    Example:

      openstack kube cluster show demo -c status -f value
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("cluster", metavar="<cluster>", help="Cluster to show (name or ID).")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        with errors.reported():
            cluster = clients.kube(self).find_cluster(parsed_args.cluster, ignore_missing=False)
        return columns.show(cluster, columns.CLUSTER)


class ClusterHealth(help_format.Preformatted, command.Lister):
    """Check a cluster: its apiserver, etcd, nodes and agents, the conductors, Neutron's agents, unsettled objects.

    Examples:

      openstack kube cluster health demo
      openstack kube cluster health demo -f json
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("cluster", metavar="<cluster>", help="Cluster to check (name or ID).")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        client = clients.kube(self)
        with errors.reported():
            cluster: Any = client.find_cluster(parsed_args.cluster, ignore_missing=False)
            found = client.get_cluster_health(cluster.id)
            names = {node.name for node in client.nodes() if node.cluster_id == cluster.id}
        rows = [(check["name"], check["health"], check["detail"]) for check in found.checks]
        return ("Name", "Health", "Detail"), [*rows, neutron_agents.check(clients.connection(self), names)]


class DeleteCluster(deletion.DeleteCommand):
    """Delete Kubernetes clusters that have no namespaces; their nodes are reset.

    Use --force for a cluster whose control node does not come back: its namespaces are deleted with
    it, and the node is reset if its agent ever reports again.

    Examples:

      openstack kube cluster delete demo --wait
      openstack kube cluster delete demo --force
    """

    noun = "cluster"
    wait_seconds = WAIT_SECONDS

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "--force", action="store_true", help="Delete a cluster whose control node is lost, with its namespaces."
        )
        return parser

    def request(self, client: Any, found: Any, parsed_args: argparse.Namespace) -> None:
        if parsed_args.force:
            client.force_delete_cluster(found.id)
        else:
            super().request(client, found, parsed_args)


class RetryCluster(help_format.Preformatted, command.ShowOne):
    """Resume the creation of a cluster in ERROR at the phase that failed.

    Example:

      openstack kube cluster retry demo --wait
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("cluster", metavar="<cluster>", help="Cluster to retry (name or ID).")
        wait.add_arguments(parser, WAIT_SECONDS)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Any:
        client = clients.kube(self)
        with errors.reported():
            cluster: Any = client.find_cluster(parsed_args.cluster, ignore_missing=False)
            cluster = client.retry_cluster(cluster.id)
            if parsed_args.wait:
                cluster = _wait_until_active(client, cluster, parsed_args.timeout)
        return columns.show(cluster, columns.CLUSTER)


def _wait_until_active(client: Any, cluster: Any, seconds: int) -> Any:
    return wait.until(f"cluster {cluster.name}", lambda: client.get_cluster(cluster.id), "ACTIVE", seconds)
