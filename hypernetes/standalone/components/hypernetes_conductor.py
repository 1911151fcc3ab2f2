# SPDX-License-Identifier: Apache-2.0
"""Conductors: what turns the API's records into clusters, networks and namespaces."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from hypernetes.standalone import addresses
from hypernetes.standalone import ini
from hypernetes.standalone import machine
from hypernetes.standalone.component import Component
from hypernetes.standalone.components import cinder
from hypernetes.standalone.components import identity
from hypernetes.standalone.components import mariadb
from hypernetes.standalone.components import rabbitmq
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.supervision import Program

NAME = "hypernetes-conductor"
POD_OVERHEAD_CPU = "20m"
"""Less than the default, since the node has few processors: Kubernetes 1.37 includes the overhead in a running pod's
``status.allocatedResources``, and its scheduler adds it once more."""
TENANT_WRITE_SHARES = 1
"""Less than the default: two writes at a time occupy the two processors that everything here shares."""
STORAGE_CLASSES = f"{cinder.VOLUME_TYPE}:{cinder.VOLUME_TYPE}"
"""Where Cinder was chosen: one class, and so the default, named like its volume type."""
POD_OVERHEAD_MEMORY = "416Mi"
"""More than the default, by TCG's translation buffer: there may be no usable KVM."""

# This machine has no swap control, no systemd and few cores: kubeadm's checks of these only warn.
IGNORED_PREFLIGHT_CHECKS = ["all"]


def configuration(installation: Installation) -> ini.Sections:
    """The conductor's options; the only process with RabbitMQ's management user and the role ``manager``."""
    layout = installation.layout
    credentials = identity.credentials(installation, "hypernetes")
    node_url = f"rabbit://{{user}}:{{password}}@{addresses.CONTROL}:{addresses.RABBITMQ_PORT}/{rabbitmq.VIRTUAL_HOST}"
    return {
        "DEFAULT": {"transport_url": rabbitmq.url(installation, NAME)},
        "database": {"connection": mariadb.url(installation, "hypernetes")},
        "conductor": {
            "key_file": str(key_file(installation)),
            # There are few projects here, and people who try what happens to them wait.
            "project_check_interval": "30",
            "gone_project_grace": "30",
        },
        "messaging": {
            "node_transport_url": node_url,
            "management_url": addresses.RABBITMQ_MANAGEMENT_URL,
            "management_user": rabbitmq.MANAGEMENT_USER,
            "management_password": installation.password(f"rabbitmq-{rabbitmq.MANAGEMENT_USER}"),
            "management_ca_file": str(layout.ca_certificate),
            "virtual_host": rabbitmq.VIRTUAL_HOST,
        },
        "openstack": {
            **credentials,
            "region_name": addresses.REGION,
        },
        "kubernetes": {
            "webhook_url": addresses.WEBHOOK_URL,
            "webhook_ca_file": str(layout.ca_certificate),
            "ignored_preflight_checks": IGNORED_PREFLIGHT_CHECKS,
            # One node is all there is here.
            "taint_control_nodes": False,
            "pod_overhead_memory": POD_OVERHEAD_MEMORY,
            "pod_overhead_cpu": POD_OVERHEAD_CPU,
            "privileged_containers": "true",
            "tenant_write_shares": str(TENANT_WRITE_SHARES),
            "default_container_memory": str(512 << 20),
            **({"storage_classes": STORAGE_CLASSES} if "cinder" in installation.recorded("with") else {}),
        },
        "oslo_messaging_rabbit": rabbitmq.client_options(installation),
    }


def key_file(installation: Installation) -> Path:
    """The key that encrypts clusters' client keys in the database: 32 random bytes as Fernet wants them."""
    path = installation.layout.service(NAME) / "conductor.key"
    if not path.exists():
        machine.write(path, base64.urlsafe_b64encode(os.urandom(32)).decode() + "\n", mode=0o600)
    return path


def programs(installation: Installation) -> list[str]:
    """Names of the conductors' processes; HYPERNETES_CONDUCTORS says how many (the tests run two)."""
    wanted = installation.recorded("conductors")
    return [NAME if number == 0 else f"{NAME}-{number + 1}" for number in range(int(wanted[-1]) if wanted else 1)]


def start(installation: Installation) -> None:
    """Configure and start them."""
    path = installation.layout.service(NAME) / "hypernetes.conf"
    machine.write(path, ini.render(configuration(installation)), mode=0o600)
    wanted = os.environ.get("HYPERNETES_CONDUCTORS")
    if wanted:
        installation.remember("conductors", str(int(wanted)))
    command: list[str | Path] = [installation.executable(NAME), "--config-file", path]
    files = [path, *installation.layout.sources()]
    for name in programs(installation):
        installation.control.apply(Program(name=name, command=command, files=files, stop_seconds=20))


def ready(installation: Installation) -> bool:
    """Return whether the processes run; that they work shows when a node enrolls."""
    return all(installation.control.state(name) == "RUNNING" for name in programs(installation))


COMPONENT = Component(
    name=NAME,
    summary="the conductor",
    needs=("supervisor", "tls", "hypernetes-database", "rabbitmq", "identity", "neutron"),
    start=start,
    ready=ready,
)
