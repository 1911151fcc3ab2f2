# SPDX-License-Identifier: Apache-2.0
"""Phase ``reset``: the node forgets its cluster, so that it can join another."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from oslo_log import log

from hypernetes.agent import bootstrap
from hypernetes.agent.bootstrap import kubeadm
from hypernetes.agent.host import cgroups
from hypernetes.agent.host import containerd
from hypernetes.agent.host import hosts
from hypernetes.agent.host import kubelet
from hypernetes.agent.host import node as nodes
from hypernetes.agent.host import services
from hypernetes.agent.host import templates
from hypernetes.kubernetes.bootstrap import phases

LOG = log.getLogger(__name__)


def run(node: nodes.Node, inputs: Mapping[str, str]) -> bootstrap.Outputs:
    """Terminate every pod, undo what kubeadm did, stop the programs and remove their files."""
    del inputs
    try:
        # kubelet first: it would restart the pods that kubeadm terminates.
        node.services.remove(kubelet.PROGRAM)
        if node.layout.containerd_socket.exists():
            words = ["reset", "--force", "--cri-socket", f"unix://{node.layout.containerd_socket}"]
            words += ["--cert-dir", str(node.layout.kubernetes / "pki")]
            kubeadm.run(node, words, "reset", phases.RESET.timeout)
        node.services.remove(containerd.PROGRAM)
        node.services.remove(templates.PROGRAM)
    except services.SupervisorFailed as error:
        raise bootstrap.NodePhaseFailed(str(error)) from error
    node.layout.containerd_socket.unlink(missing_ok=True)
    # Before the file that names the group is removed.
    if node.layout.kubeadm_configuration.exists():
        cgroups.remove(cgroups.kubelet_root(node.layout.kubeadm_configuration.read_text()))
    # What kubeadm leaves, or did not reach in a run that was killed. The directories themselves may be mount points.
    layout = node.layout
    for directory in (layout.etcd, layout.kubelet, layout.kubernetes, layout.pod_logs, layout.container_logs):
        _empty(directory)
    node.layout.kubelet_script.unlink(missing_ok=True)
    node.layout.system_runc.unlink(missing_ok=True)
    node.layout.cni_network.unlink(missing_ok=True)
    hosts.remove(layout)
    return {}


def _empty(directory: Path) -> None:
    if not directory.is_dir():
        return
    for entry in directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
