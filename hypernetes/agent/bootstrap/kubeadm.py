# SPDX-License-Identifier: Apache-2.0
"""The phases of ``kubeadm init`` as orders; kubeadm makes each of them idempotent.

Left out on purpose: the addons. kube-proxy would program tenants' overlapping addresses on the host, and CoreDNS
comes as an object of ours.
"""

from collections.abc import Mapping

from oslo_log import log

from hypernetes.agent import bootstrap
from hypernetes.agent import commands
from hypernetes.agent import files
from hypernetes.agent import kubelet
from hypernetes.agent import node as nodes
from hypernetes.agent import services

LOG = log.getLogger(__name__)

INIT_PHASES = (
    "preflight",
    "certs",
    "kubeconfig",
    "etcd",
    "control-plane",
    "kubelet-start",
    "wait-control-plane",
    "upload-config",
    "upload-certs",
    "mark-control-plane",
    "bootstrap-token",
    "kubelet-finalize",
    "addon",
    "show-join-command",
)
"""The phases of ``kubeadm init``, in its order (v1.37)."""


def kubeadm(node: nodes.Node, *arguments: str) -> str:
    """Run kubeadm with the node's distribution.

    :raises bootstrap.PhaseFailed: it failed; with its last words.
    """
    try:
        return node.commands.run([node.layout.binaries / "kubeadm", *arguments])
    except commands.CommandFailed as error:
        raise bootstrap.PhaseFailed(f"kubeadm {' '.join(arguments[:4])} {error.problem}: {error.last_words}") from error


def init_phase(*words: str) -> bootstrap.Phase:
    """The phase that runs ``kubeadm init phase <words>``."""

    def run(node: nodes.Node, inputs: Mapping[str, str]) -> bootstrap.Outputs:
        refresh_configuration(node, inputs)
        kubeadm(node, "init", "phase", *words, "--config", str(node.layout.kubeadm_configuration))
        return {}

    return run


def refresh_configuration(node: nodes.Node, inputs: Mapping[str, str]) -> None:
    """Take a newer configuration if the order carries one; ``prepare`` has written the first."""
    if "kubeadm.yaml" in inputs:
        files.write(node.layout.kubeadm_configuration, inputs["kubeadm.yaml"])
    if not node.layout.kubeadm_configuration.exists():
        raise bootstrap.PhaseFailed("there is no kubeadm configuration: run the phase prepare first")


def wait_control_plane(node: nodes.Node, inputs: Mapping[str, str]) -> bootstrap.Outputs:
    """Wait until apiserver, controller-manager and scheduler say they are healthy.

    As a phase of its own it takes no configuration (kubeadm v1.37), hence init with all other phases left out.
    """
    refresh_configuration(node, inputs)
    kubeadm(
        node,
        "init",
        "--skip-phases",
        ",".join(phase for phase in INIT_PHASES if phase != "wait-control-plane"),
        "--config",
        str(node.layout.kubeadm_configuration),
    )
    return {}


def kubelet_start(node: nodes.Node, inputs: Mapping[str, str]) -> bootstrap.Outputs:
    """Have kubeadm configure kubelet, and the service manager run it so configured."""
    init_phase("kubelet-start")(node, inputs)
    files.write(node.layout.state / "kubelet.sh", kubelet.script(node.layout), 0o755)
    try:
        known = node.services.state(kubelet.PROGRAM) is not services.ServiceState.UNKNOWN
        node.services.install(kubelet.program(node.layout))
        if known:
            node.services.restart(kubelet.PROGRAM)
    except services.ServiceError as error:
        raise bootstrap.PhaseFailed(str(error)) from error
    return {}


def kubelet_finalize(node: nodes.Node, inputs: Mapping[str, str]) -> bootstrap.Outputs:
    """Have kubelet use the client certificate it rotates itself."""
    init_phase("kubelet-finalize", "all")(node, inputs)
    try:
        # kubeadm restarts kubelet through the machine's init system, which here is not what runs it.
        node.services.restart(kubelet.PROGRAM)
    except services.ServiceError as error:
        raise bootstrap.PhaseFailed(str(error)) from error
    return {}


PHASES: dict[str, bootstrap.Phase] = {
    "preflight": init_phase("preflight"),
    "certs": init_phase("certs", "all"),
    "kubeconfig": init_phase("kubeconfig", "all"),
    "etcd": init_phase("etcd", "local"),
    "control-plane": init_phase("control-plane", "all"),
    "kubelet-start": kubelet_start,
    "wait-control-plane": wait_control_plane,
    "upload-config": init_phase("upload-config", "all"),
    "mark-control-plane": init_phase("mark-control-plane"),
    "bootstrap-token": init_phase("bootstrap-token"),
    "kubelet-finalize": kubelet_finalize,
}
