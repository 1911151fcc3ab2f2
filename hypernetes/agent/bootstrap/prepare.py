# SPDX-License-Identifier: Apache-2.0
"""Phase ``prepare``: everything that kubeadm expects: directories, files, containerd and the CNI plugin."""

import ipaddress
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from pathlib import PurePath

import yaml

from hypernetes.agent import bootstrap
from hypernetes.agent import commands
from hypernetes.agent import files
from hypernetes.agent.bootstrap import webhook_client
from hypernetes.agent.host import cgroups
from hypernetes.agent.host import cni
from hypernetes.agent.host import containerd
from hypernetes.agent.host import hosts
from hypernetes.agent.host import node as nodes
from hypernetes.agent.host import services
from hypernetes.agent.host import templates
from hypernetes.conf import timeouts
from hypernetes.kubernetes.bootstrap import apiserver_files as kubernetes_files
from hypernetes.kubernetes.bootstrap import order_names
from hypernetes.model import names

CONTAINERD_START_SECONDS = 60.0


def run(node: nodes.Node, inputs: Mapping[str, str]) -> bootstrap.Outputs:
    """Prepare the node for kubeadm and wait until containerd answers."""
    try:
        cgroups.create(cgroups.kubelet_root(bootstrap.required(inputs, order_names.KUBEADM_FILE)))
    except yaml.YAMLError as error:
        raise bootstrap.NodePhaseFailed(f"the input {order_names.KUBEADM_FILE} is not valid YAML: {error}") from error
    # kube-apiserver's audit log; kubelet would make the directory readable by all.
    node.layout.audit_logs.mkdir(parents=True, exist_ok=True)
    node.layout.audit_logs.chmod(0o700)
    write_cluster_files(node, ensure_api_host(node, inputs))
    webhook_client.install(node)
    write_encryption_configuration(node)
    cni.install(node.layout, timeouts.cni_add(node.conf))
    start_templates(node)
    start_containerd(node)
    return {}


def ensure_api_host(node: nodes.Node, inputs: Mapping[str, str]) -> dict[str, str]:
    """Make sure that the node finds the apiserver by its name; return the inputs without those that say how."""
    rest = dict(inputs)
    name, address = (rest.pop(key, None) for key in (order_names.API_HOST, order_names.API_HOST_ADDRESS))
    if name is not None and address is not None:
        # They come over the message bus, and the file's lines are the machine's.
        if not names.is_dns_subdomain(name):
            raise bootstrap.NodePhaseFailed(f"the input {order_names.API_HOST} is not a DNS name")
        try:
            hosts.ensure(node.layout, name, str(ipaddress.ip_address(address)))
        except ValueError as error:
            raise bootstrap.NodePhaseFailed(f"the input {order_names.API_HOST_ADDRESS} is not an IP address") from error
    return rest


def refresh(node: nodes.Node) -> None:
    """Bring what a prepared node runs up to this agent's installation and options.

    The agent may have been upgraded, moved to another directory or reconfigured since the node was prepared. A CNI
    plugin that points to an installation that is gone would let no pod start and none end.

    :raises NodePhaseFailed: when containerd does not answer.
    """
    # Written last of the two by prepare, and removed by reset.
    if not node.layout.cni_network.exists():
        return
    cni.install(node.layout, timeouts.cni_add(node.conf))
    webhook_client.refresh(node)
    start_templates(node)
    start_containerd(node)


def write_cluster_files(node: nodes.Node, inputs: Mapping[str, str]) -> None:
    """Write the inputs whose names are those of files to the directory the apiserver mounts."""
    directory = node.layout.cluster_files
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    for name, content in inputs.items():
        # Names come over the message bus: only a plain file name is accepted.
        if PurePath(name).name != name or PurePath(name).suffix not in {".yaml", ".pem"}:
            raise bootstrap.NodePhaseFailed(f"{name!r} is not the name of a file of this phase")
        if directory / name == node.layout.encryption_configuration:
            raise bootstrap.NodePhaseFailed("the encryption key is made on the node and nowhere else")
        files.write(directory / name, content)


def write_encryption_configuration(node: nodes.Node) -> None:
    """Generate the key with which etcd's Secrets are encrypted, unless it exists; it never leaves the node."""
    path = node.layout.encryption_configuration
    if not path.exists():
        key = secrets.token_bytes(kubernetes_files.ENCRYPTION_KEY_BYTES)
        files.write(path, kubernetes_files.encryption_configuration(key))


def start_containerd(node: nodes.Node) -> None:
    """Configure and start containerd, and wait until it answers."""
    conf = node.conf.node
    files.write(node.layout.system_runc, containerd.system_runc(node.layout), 0o755)
    changed = [
        files.write(Path(path), content, 0o644)
        for path, content in containerd.files(
            node.layout, conf.pause_image, conf.registry_mirrors, conf.registry_ca_file
        ).items()
    ]
    try:
        node.services.install(containerd.program(node.layout))
        if any(changed) and node.services.state(containerd.PROGRAM) is services.ServiceState.RUNNING:
            # The virtual machines keep running: their shims are not children of the service manager.
            node.services.restart(containerd.PROGRAM)
    except services.SupervisorFailed as error:
        raise bootstrap.NodePhaseFailed(str(error)) from error
    if not services.wait_until(lambda: _answers(node), CONTAINERD_START_SECONDS):
        log = node.layout.log(containerd.PROGRAM)
        raise bootstrap.NodePhaseFailed(f"containerd did not answer within {CONTAINERD_START_SECONDS:g} s; see {log}")


def start_templates(node: nodes.Node) -> None:
    """Start the process that keeps templates of virtual machines, or remove it if they are off.

    Nothing waits for it: while it does not answer, virtual machines boot.
    """
    program = templates.program(node.conf, node.layout)
    try:
        if program is None:
            node.services.remove(templates.PROGRAM)
        else:
            node.services.install(program)
    except services.SupervisorFailed as error:
        raise bootstrap.NodePhaseFailed(str(error)) from error


def _answers(node: nodes.Node) -> bool:
    # Connect first: ctr waits long for a socket that does not exist.
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        if connection.connect_ex(str(node.layout.containerd_socket)) != 0:
            return False
    try:
        node.commands.run(
            [node.layout.binaries / "ctr", "--address", node.layout.containerd_socket, "version"], timeout=10
        )
    except commands.CommandFailed:
        return False
    return True
