# SPDX-License-Identifier: Apache-2.0
"""``openstack kube config``: writes a kubeconfig with which kubectl logs in through Keystone."""

import argparse
import datetime
import os
import secrets
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml
from openstack import exceptions as sdk
from osc_lib import exceptions

from hypernetes.osc import clients
from hypernetes.osc import described
from hypernetes.osc import errors
from hypernetes.osc import kubeconfig
from hypernetes.osc import namespace
from hypernetes.sdk import proxy

HELPER = "hypernetes-kube-login"
APPLICATION_CREDENTIAL = "application-credential"
ENVIRONMENT = "environment"
PLACEHOLDER = "<made when the file is written>"


class KubeConfig(described.Described):
    """Write a kubeconfig for a cluster, or merge it into the one you have.

    kubectl then gets its tokens from a helper. By default an application credential is made for it whose access rules
    allow a login to this one cluster and nothing else; it is written into the file, which only you can read. With
    --auth environment nothing secret is written, and the helper reads the OS_* variables of the shell.

    Examples:

      openstack kube config demo
      openstack kube config demo --namespace web --file ./kubeconfig
      openstack kube config demo --auth environment --file -
      openstack kube config demo --dry-run
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "cluster",
            metavar="<cluster>",
            nargs="?",
            help="Name or id of the cluster; may be left out if there is only one.",
        )
        parser.add_argument(
            "--file",
            metavar="<path>",
            help="File to write or merge into; - for standard output (default: the first of KUBECONFIG, "
            "else ~/.kube/config).",
        )
        parser.add_argument(
            "--namespace",
            metavar="<namespace>",
            help="Namespace of the context (default: the project's, if it has just one in the cluster).",
        )
        parser.add_argument(
            "--auth",
            choices=(APPLICATION_CREDENTIAL, ENVIRONMENT),
            default=APPLICATION_CREDENTIAL,
            help=f"How the helper authenticates (default: {APPLICATION_CREDENTIAL}).",
        )
        parser.add_argument(
            "--role",
            metavar="<role>",
            action="append",
            help="Role the application credential carries (default: all you have in the project); may be repeated.",
        )
        parser.add_argument(
            "--expires-in",
            metavar="<days>",
            type=int,
            help="Days until the application credential expires (default: it does not).",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Make and write nothing; show what would be written."
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        connection = clients.connection(self)
        client = clients.kube(self)
        to_output = parsed_args.file == "-" or parsed_args.dry_run
        with errors.explained():
            cluster = (
                client.find(proxy.Cluster, parsed_args.cluster)
                if parsed_args.cluster
                else namespace.only_cluster(client)
            )
            if not cluster.api_address or not cluster.ca_certificate:
                raise exceptions.CommandError(f"cluster {cluster.name} is {cluster.status}; wait until it is ACTIVE")
            chosen = parsed_args.namespace or _only_namespace(client, cluster.id)
        path = _path(parsed_args.file)
        try:
            # Read before a credential is made, so that a broken file costs nothing.
            existing = {} if parsed_args.file == "-" else kubeconfig.read(path)
        except kubeconfig.Unreadable as error:
            raise exceptions.CommandError(f"{error}; name another one with --file") from error
        access = kubeconfig.Access(
            cluster_name=cluster.name,
            api_address=cluster.api_address,
            ca_certificate=cluster.ca_certificate,
            project_name=str(connection.current_project.name or connection.current_project_id),
            helper=helper(),
            environment=_environment(connection, cluster, parsed_args),
            namespace=chosen,
        )
        new = kubeconfig.document(access)
        if to_output:
            self.app.stdout.write(yaml.safe_dump(new, sort_keys=False))
            return
        try:
            kubeconfig.write(path, kubeconfig.merge(existing, new))
        except KeyboardInterrupt:
            _take_back(connection, access)
            raise
        except OSError as error:
            unused = _take_back(connection, access)
            raise exceptions.CommandError(
                f"{path} cannot be written: {error.strerror or error}; name another one with --file{unused}"
            ) from error
        self.app.stderr.write(f"{path}: context {access.name} is now the current one\n")
        former = kubeconfig.credential_of(existing, access.name)
        if former:
            self.app.stderr.write(
                "The application credential that the file held before still exists; delete it if nothing else uses "
                f"it: openstack application credential delete {former}\n"
            )


def helper() -> str:
    """Where the exec-credential helper is: beside this program, on PATH, or left for kubectl to find."""
    beside = Path(sys.argv[0]).resolve().parent / HELPER
    if os.access(beside, os.X_OK):
        return str(beside)
    return shutil.which(HELPER) or HELPER


def access_rules(cluster_id: str) -> list[dict[str, str]]:
    """The one rule that allows a login to a cluster, and nothing else anywhere."""
    return [
        {"service": proxy.SERVICE_TYPE, "method": "POST", "path": f"/v1/clusters/{cluster_id}/tokenreview"},
    ]


def _environment(connection: Any, cluster: Any, parsed_args: argparse.Namespace) -> dict[str, str]:
    if parsed_args.auth == ENVIRONMENT:
        return {}
    shared = {"OS_AUTH_URL": connection.config.auth["auth_url"]}
    authority = connection.config.config.get("cacert")
    if authority:
        shared["OS_CACERT"] = str(Path(authority).resolve())
    if parsed_args.dry_run:
        identifier, secret = PLACEHOLDER, PLACEHOLDER
    else:
        made = _application_credential(connection, cluster, parsed_args)
        identifier, secret = made.id, made.secret
    return {**shared, "OS_APPLICATION_CREDENTIAL_ID": identifier, "OS_APPLICATION_CREDENTIAL_SECRET": secret}


def _application_credential(connection: Any, cluster: Any, parsed_args: argparse.Namespace) -> Any:
    wishes: dict[str, Any] = {}
    if parsed_args.role:
        wishes["roles"] = [{"name": role} for role in parsed_args.role]
    if parsed_args.expires_in is not None:
        ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=parsed_args.expires_in)
        wishes["expires_at"] = ends.strftime("%Y-%m-%dT%H:%M:%S")
    try:
        return connection.identity.create_application_credential(
            connection.current_user_id,
            f"kubectl-{cluster.name}-{secrets.token_hex(4)}",
            description=f"kubectl's login to the cluster {cluster.name}, made by openstack kube config",
            access_rules=access_rules(cluster.id),
            unrestricted=False,
            **wishes,
        )
    except sdk.ForbiddenException as error:
        raise exceptions.CommandError(
            "Keystone does not let this login make an application credential (a login by application credential "
            f"cannot make another); log in with a password, or use --auth {ENVIRONMENT}"
        ) from error
    except sdk.HttpException as error:
        raise exceptions.CommandError(f"Keystone refuses to make an application credential: {error}") from error


def _take_back(connection: Any, access: kubeconfig.Access) -> str:
    """Delete the credential that nobody can use, since its secret was not written; what is to be said of it."""
    made = access.environment.get("OS_APPLICATION_CREDENTIAL_ID")
    if made is None:
        return ""
    try:
        connection.identity.delete_application_credential(connection.current_user_id, made)
    except sdk.SDKException:
        return (
            f". The application credential made for it is still there: openstack application credential delete {made}"
        )
    return ""


def _only_namespace(client: Any, cluster_id: str) -> str | None:
    found = [item.name for item in client.namespaces(cluster_id=cluster_id)]
    return found[0] if len(found) == 1 else None


def _path(wished: str | None) -> Path:
    if wished:
        return Path(wished).expanduser()
    first = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    return Path(first).expanduser() if first else Path.home() / ".kube" / "config"
