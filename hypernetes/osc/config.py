# SPDX-License-Identifier: Apache-2.0
"""``openstack kube config``: writes a kubeconfig with which kubectl logs in through Keystone."""

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from osc_lib import exceptions

from hypernetes.osc import clients
from hypernetes.osc import credential
from hypernetes.osc import default_cluster
from hypernetes.osc import errors
from hypernetes.osc import help_format
from hypernetes.sdk import kubeconfig

HELPER = "hypernetes-kube-login"
APPLICATION_CREDENTIAL = "application-credential"
ENVIRONMENT = "environment"
PLACEHOLDER = "<created when the file is written>"
STANDARD_OUTPUT = "-"


class KubeConfig(help_format.Preformatted):
    """Write a kubeconfig for a cluster, or merge it into the existing one.

    kubectl then gets its tokens from a helper. By default an application credential is created for it whose access
    rules allow a login to this one cluster and nothing else; it is written into the file, which only you can read.
    With --auth environment nothing secret is written, and the helper reads the OS_* variables of the shell.

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
            help="Cluster (name or ID); may be omitted if just one is ACTIVE.",
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
            help="Role of the application credential (default: all that you have in the project); may be repeated.",
        )
        parser.add_argument(
            "--expires-in",
            metavar="<days>",
            type=credential.days,
            help="Days until the application credential expires, from 1 to "
            f"{credential.LONGEST_DAYS} (default: it does not expire).",
        )
        parser.add_argument("--dry-run", action="store_true", help="Print the kubeconfig; create and write nothing.")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        wishes = _wishes(parsed_args)
        credential.require_roles(wishes, clients.role_names(self) if wishes.roles else None)
        path = None if parsed_args.file == STANDARD_OUTPUT else _path(parsed_args.file)
        # Read before a credential is created, so that a broken file costs nothing.
        existing = _read(path)
        cluster, namespace = self._choose(parsed_args)
        access = self._access(parsed_args, cluster, namespace, wishes)
        names = kubeconfig.choose_names(existing, access)
        new = kubeconfig.document(access, names)
        if path is None or parsed_args.dry_run:
            self.app.stdout.write(yaml.safe_dump(new, sort_keys=False))
            return
        self._write(path, kubeconfig.merge(existing, new), access)
        self.app.stderr.write(f"{path}: context {names.context} is now the current one\n")
        if former := kubeconfig.credential_of(existing, names.context):
            self.app.stderr.write(
                "The application credential previously stored in the file still exists; delete it if nothing else "
                f"uses it: openstack application credential delete {former}\n"
            )

    def _choose(self, parsed_args: argparse.Namespace) -> tuple[Any, str | None]:
        client = clients.kube(self)
        with errors.reported():
            if parsed_args.cluster:
                cluster: Any = client.find_cluster(parsed_args.cluster, ignore_missing=False)
            else:
                cluster = default_cluster.find(client, "by its name or ID")
            if not cluster.api_address or not cluster.ca_certificate:
                raise exceptions.CommandError(f"cluster {cluster.name} is {cluster.status}; wait until it is ACTIVE")
            return cluster, parsed_args.namespace or _only_namespace(client, cluster.id)

    def _access(
        self, parsed_args: argparse.Namespace, cluster: Any, namespace: str | None, wishes: credential.Wishes
    ) -> kubeconfig.Access:
        connection = clients.connection(self)
        # Before the credential, which would be left behind if this failed.
        project_id = str(connection.current_project_id)
        project_name = str(connection.current_project.name or project_id)
        variables: dict[str, str] = {}
        if parsed_args.auth == APPLICATION_CREDENTIAL:
            variables = _shared_variables(connection)
            identifier = secret = PLACEHOLDER
            if not parsed_args.dry_run:
                created = credential.create(connection, cluster, wishes)
                identifier, secret = created.id, created.secret
            variables |= {kubeconfig.CREDENTIAL_ID: identifier, kubeconfig.CREDENTIAL_SECRET: secret}
        return kubeconfig.Access(
            cluster_id=cluster.id,
            cluster_name=cluster.name,
            api_address=cluster.api_address,
            ca_certificate=cluster.ca_certificate,
            project_id=project_id,
            project_name=project_name,
            helper=find_helper(),
            environment=variables,
            namespace=namespace,
        )

    def _write(self, path: Path, content: Mapping[str, Any], access: kubeconfig.Access) -> None:
        connection = clients.connection(self)
        created = access.environment.get(kubeconfig.CREDENTIAL_ID)
        try:
            kubeconfig.write(path, content)
        except KeyboardInterrupt:
            credential.delete_unused(connection, created)
            raise
        except OSError as error:
            remains = credential.delete_unused(connection, created)
            raise exceptions.CommandError(
                f"{path} cannot be written: {error.strerror or error}; name another file with --file{remains}"
            ) from error


def find_helper() -> str:
    """Return where the exec-credential helper is: beside this program, on PATH, or its name, for kubectl to find."""
    beside = Path(sys.argv[0]).resolve().parent / HELPER
    if os.access(beside, os.X_OK):
        return str(beside)
    return shutil.which(HELPER) or HELPER


def _wishes(parsed_args: argparse.Namespace) -> credential.Wishes:
    wishes = credential.Wishes(roles=tuple(parsed_args.role or ()), days=parsed_args.expires_in)
    if parsed_args.auth == ENVIRONMENT and wishes != credential.Wishes():
        raise exceptions.CommandError(
            f"--role and --expires-in are for an application credential; omit them with --auth {ENVIRONMENT}"
        )
    return wishes


def _shared_variables(connection: Any) -> dict[str, str]:
    variables = {"OS_AUTH_URL": connection.config.auth["auth_url"]}
    ca_file = connection.config.config.get("cacert")
    if ca_file:
        variables["OS_CACERT"] = str(Path(ca_file).resolve())
    return variables


def _only_namespace(client: Any, cluster_id: str) -> str | None:
    names = [item.name for item in client.namespaces(cluster_id=cluster_id) if item.status != "DELETING"]
    return names[0] if len(names) == 1 else None


def _read(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return kubeconfig.read(path)
    except kubeconfig.Unreadable as error:
        raise exceptions.CommandError(f"{error}; name another file with --file") from error


def _path(chosen: str | None) -> Path:
    if chosen:
        return Path(chosen).expanduser()
    first = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    return Path(first).expanduser() if first else Path.home() / ".kube" / "config"
