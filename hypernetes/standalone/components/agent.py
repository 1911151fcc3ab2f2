# SPDX-License-Identifier: Apache-2.0
"""A node's agent: enrolled through the public API with a one-time secret, at its production paths."""

from __future__ import annotations

import time
from pathlib import Path

from hypernetes.agent.host import containerd
from hypernetes.standalone import addresses
from hypernetes.standalone import ini
from hypernetes.standalone import machine
from hypernetes.standalone import nodes
from hypernetes.standalone.cloud_api import Api
from hypernetes.standalone.component import Component
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.nodes import Node
from hypernetes.standalone.supervision import Program

PROGRAM = "hypernetes-agent"
CONFIGURATION = Path("/etc/hypernetes/agent.conf")
# The API honors a secret for an hour; an older one would make the agent try in vain.
SECRET_USABLE_SECONDS = 3000
# Of the apiserver, which workers do not have.
WEBHOOK_CLIENT: dict[str, ini.Value] = {
    "webhook_client_cert_file": "/etc/hypernetes/webhook-client.crt",
    "webhook_client_key_file": "/etc/hypernetes/webhook-client.key",
}
UID_BASE, UID_COUNT = 200000, 65536
# Every other registry, too: tenants choose the names, and the node must not connect to what they resolve to.
MIRRORED = ("registry.k8s.io", "docker.io", containerd.ANY_HOST)


def configuration(node: Node, node_id: str) -> ini.Sections:
    """The agent's options; everything not named is at its production default."""
    mirrors = [f"{host}:https://{addresses.REGISTRY}" for host in MIRRORED]
    return {
        "agent": {"api_url": addresses.API_URL, "node_id": node_id},
        "node": {
            "name": node.name,
            "address": node.address,
            "registry_mirrors": mirrors,
            "registry_ca_file": "/etc/hypernetes/ca.pem",
            **({} if node.is_worker else WEBHOOK_CLIENT),
            # Nodes share this machine, and with it the kernel's users.
            "uid_base": str(UID_BASE + UID_COUNT * list(addresses.NODES).index(node.name)),
            "uid_count": str(UID_COUNT),
            # Emulated processors boot slowly.
            "templates": "project",
            "templates_grace": "60",
        },
        "oslo_concurrency": {"lock_path": "/run/hypernetes/locks"},
    }


def start(installation: Installation, node: Node) -> None:
    """Enroll the node unless it is, start the agent."""
    nodes.ensure_dist(installation, node)
    etc = installation.layout.node(node.name) / "etc/hypernetes"
    files = []
    if not node.is_worker:
        certificate, key = installation.webhook_clients.issue(f"apiserver-{node.name}")
        machine.write(etc / "webhook-client.key", key.read_text(), mode=0o600)
        machine.write(etc / "webhook-client.crt", certificate.read_text())
        files.append(etc / "webhook-client.crt")
    node_id = _ensure_record(installation, node)
    path = etc / CONFIGURATION.name
    machine.write(path, ini.render(configuration(node, node_id)), mode=0o600)
    installation.node_supervisor(node.name).apply(
        Program(
            name=PROGRAM,
            command=[installation.executable(PROGRAM), "--config-file", CONFIGURATION],
            files=[path, *files, *installation.layout.sources()],
            stop_seconds=20,
            # It stops what it started, such as kubeadm, itself; containers are not its children.
            whole_group=False,
        )
    )


def _ensure_record(installation: Installation, node: Node) -> str:
    """The id of the node's record, made with a fresh secret where the old one cannot serve any more."""
    api = Api(installation, "admin")
    secret = installation.layout.node(node.name) / "etc/hypernetes/enrollment-secret"
    remembered = installation.layout.state / "records" / f"{node.name}-id"
    record = api.find("nodes", node.name)
    if record:
        known = remembered.exists() and remembered.read_text() == record["id"]
        usable = secret.exists() and time.time() - secret.stat().st_mtime < SECRET_USABLE_SECONDS
        if known and (record["status"] in ("UP", "DOWN") or usable):
            return str(record["id"])
        # A run that ended between the creation and the writing of the secret: the API shows it only once.
        api.request("DELETE", f"/v1/nodes/{record['id']}")
        machine.wait_until(lambda: api.find("nodes", node.name) is None, f"removal of node {node.name}", timeout=60)
    made = api.create("nodes", {"name": node.name})
    machine.write(secret, made["enrollment_secret"], mode=0o600)
    machine.write(remembered, made["id"])
    return str(made["id"])


def ready(installation: Installation, node: Node) -> bool:
    """Return whether the API reports the node UP."""
    if installation.node_supervisor(node.name).state(PROGRAM) != "RUNNING":
        return False
    record = Api(installation, "admin").find("nodes", node.name)
    return record is not None and record["status"] == "UP"


def component(name: str, *, optional: bool = False) -> Component:
    """The table's row for one node's agent."""
    node = Node(name)
    return Component(
        name=f"agent-{name}",
        summary=f"agent of {name}, enrolled",
        needs=(name, "distribution", "registry", "proxy", "hypernetes-conductor"),
        start=lambda installation: start(installation, node),
        ready=lambda installation: ready(installation, node),
        optional=optional,
    )
