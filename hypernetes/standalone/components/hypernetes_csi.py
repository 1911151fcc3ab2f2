# SPDX-License-Identifier: Apache-2.0
"""The CSI driver of the cluster and Kubernetes' csi-provisioner, which calls it; only for ``up --with cinder``."""

from __future__ import annotations

import datetime
from pathlib import Path

import yaml

from hypernetes.model import names
from hypernetes.standalone import addresses
from hypernetes.standalone import ini
from hypernetes.standalone import machine
from hypernetes.standalone import nodes
from hypernetes.standalone.cloud_api import Api
from hypernetes.standalone.component import Component
from hypernetes.standalone.components import cluster
from hypernetes.standalone.components import distribution
from hypernetes.standalone.components import identity
from hypernetes.standalone.components import mariadb
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.supervision import Program

NAME = "hypernetes-csi"
PROVISIONER = "csi-provisioner"
KUBEADM_CONFIGURATION = "/etc/kubernetes/hypernetes/kubeadm.yaml"
"""On the control node, where its agent has written it."""


def configuration(installation: Installation, cluster_id: str) -> ini.Sections:
    """Return the driver's options."""
    return {
        "database": {"connection": mariadb.url(installation, "hypernetes")},
        "openstack": {
            **identity.credentials(installation, "hypernetes"),
            "region_name": addresses.REGION,
            # Cinder speaks TLS only.
            "cafile": str(installation.layout.ca_certificate),
        },
        "csi": {
            "cluster_id": cluster_id,
            "kubeconfig": str(kubeconfig(installation)),
            "socket": str(socket(installation)),
        },
    }


def kubeconfig(installation: Installation) -> Path:
    """Return the file with the certificate of the driver and its sidecars."""
    return installation.layout.service(NAME) / "csi.kubeconfig"


def socket(installation: Installation) -> Path:
    """Return where the driver is called."""
    return installation.layout.run / "csi/csi.sock"


def provisioner(installation: Installation) -> list[str | Path]:
    """Return the command of csi-provisioner."""
    return [
        installation.layout.dist / "bin" / PROVISIONER,
        f"--kubeconfig={kubeconfig(installation)}",
        f"--csi-address={socket(installation)}",
        "--extra-create-metadata",
        "--timeout=60s",
        # Its default of 5 is meant for one of many in a cluster.
        "--kube-api-qps=50",
        "--kube-api-burst=100",
        "--worker-threads=16",
        "--http-endpoint=",
    ]


def start(installation: Installation) -> None:
    """Build the sidecar, give both a certificate, configure and start them."""
    distribution.build(installation, "csi")
    record = Api(installation, "admin").find("clusters", cluster.CLUSTER)
    if record is None:
        raise machine.StandaloneError(f"cluster {cluster.CLUSTER} is gone")
    # The certificate is valid for a year: a new one each month of an `up`, and for a cluster that was made again.
    this_month = datetime.datetime.now(datetime.UTC).strftime("%Y-%m")
    path = kubeconfig(installation)
    if not path.exists():
        installation.forget("csi-kubeconfig")
    installation.once(
        "csi-kubeconfig",
        [record["id"], this_month],
        lambda: _write_kubeconfig(installation, str(record["api_address"])),
    )
    options = installation.layout.service(NAME) / "hypernetes.conf"
    machine.write(options, ini.render(configuration(installation, str(record["id"]))), mode=0o600)
    installation.control.apply(
        Program(
            name=NAME,
            command=[installation.executable(NAME), "--config-file", options],
            files=[options, path, *installation.layout.sources()],
            stop_seconds=20,
        )
    )
    command = provisioner(installation)
    installation.control.apply(Program(name=PROVISIONER, command=command, files=[path, Path(command[0])]))


def _write_kubeconfig(installation: Installation, api_address: str) -> None:
    """Have kubeadm sign a certificate on the control node, as an operator would."""
    node = nodes.Node(cluster.CONTROL_NODE)
    text = machine.run(
        [
            *nodes.inside(installation, node),
            installation.layout.dist / "bin/kubeadm", "kubeconfig", "user",
            "--config", KUBEADM_CONFIGURATION, "--client-name", names.VOLUMES_USER,
        ]
    )  # fmt: skip
    machine.write(kubeconfig(installation), reached_at(text, api_address), mode=0o600)


def reached_at(text: str, api_address: str) -> str:
    """Return a kubeconfig with another address of the apiserver: its name is known on nodes only."""
    document = yaml.safe_load(text)
    for entry in document["clusters"]:
        entry["cluster"]["server"] = api_address
    return yaml.safe_dump(document)


def ready(installation: Installation) -> bool:
    """Return whether both run."""
    return all(installation.control.state(name) == "RUNNING" for name in (NAME, PROVISIONER))


COMPONENT = Component(
    name=NAME,
    summary="the CSI driver of cluster demo",
    needs=("cinder", "cluster", "distribution", "hypernetes-conductor"),
    start=start,
    ready=ready,
    optional=True,
)
