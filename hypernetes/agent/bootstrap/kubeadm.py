# SPDX-License-Identifier: Apache-2.0
"""The phases that ``kubeadm init`` carries out, by the table of :mod:`hypernetes.kubernetes.bootstrap.phases`.

kubeadm makes each of its own phases idempotent, so a phase that was killed is run again whole.
"""

from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path

from hypernetes.agent import bootstrap
from hypernetes.agent import commands
from hypernetes.agent import files
from hypernetes.agent.host import kubelet
from hypernetes.agent.host import node as nodes
from hypernetes.agent.host import services
from hypernetes.kubernetes.bootstrap import order_names
from hypernetes.kubernetes.bootstrap import phases

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
"""All phases of ``kubeadm init``, in its order (v1.37)."""

LOG_BYTES = 4096
"""How much of a log's end is searched for its last line."""

_WITHOUT_CONFIGURATION = frozenset({"wait-control-plane"})
"""Phases that take no configuration when run by themselves (v1.37) and would guess the address."""


def arguments(phase: tuple[str, ...], configuration: str) -> list[str]:
    """Return kubeadm's arguments for one of its phases."""
    if phase[0] in _WITHOUT_CONFIGURATION:
        # The whole of init, with all other phases left out, does read it.
        skipped = ",".join(other for other in INIT_PHASES if other != phase[0])
        return ["init", "--skip-phases", skipped, "--config", configuration]
    return ["init", "phase", *phase, "--config", configuration]


def run(node: nodes.Node, words: list[str], what: str, timeout: float) -> str:
    """Run kubeadm with the node's distribution.

    :param what: the phase, for the reason of a failure.
    :raises bootstrap.NodePhaseFailed: when it fails; the text has its errors.
    """
    try:
        return node.commands.run([node.layout.binaries / "kubeadm", *words], timeout=timeout)
    except commands.CommandFailed as error:
        raise bootstrap.NodePhaseFailed(f"kubeadm {what} {error.problem}: {complaints(error.output)}") from error


def complaints(output: str) -> str:
    """Return what an operator needs of kubeadm's output: its errors where it names them, else its last lines."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("[ERROR", "error:"))]
    # "To see the stack trace of this error execute with --v=5" does not help the reader of a cluster's status.
    return " ".join(errors or [line for line in lines if not line.startswith("To see the stack trace")])[-1500:]


def refresh_configuration(node: nodes.Node, inputs: Mapping[str, str]) -> None:
    """Write the configuration that the order carries, if any; ``prepare`` has written the first one."""
    if order_names.KUBEADM_FILE in inputs:
        files.write(node.layout.kubeadm_configuration, inputs[order_names.KUBEADM_FILE])
    if not node.layout.kubeadm_configuration.exists():
        raise bootstrap.NodePhaseFailed("there is no kubeadm configuration: run the phase prepare first")


def start_kubelet(node: nodes.Node) -> None:
    """Have the service manager run kubelet as kubeadm has just configured it.

    kubeadm restarts kubelet through the machine's init system, which is not what runs it here.
    """
    files.write(node.layout.kubelet_script, kubelet.script(node.layout), 0o755)
    known = node.services.state(kubelet.PROGRAM) is not services.ServiceState.UNKNOWN
    try:
        node.services.install(kubelet.program(node.layout))
        if known:
            node.services.restart(kubelet.PROGRAM)
    except services.SupervisorFailed as error:
        raise bootstrap.NodePhaseFailed(str(error)) from error


def last_words(pod_logs: Path) -> str:
    """Return the last line of the apiserver's newest log, or of etcd's without one; empty without both.

    kubeadm only reports a timeout; these logs say why.
    """
    for component in ("kube-apiserver", "etcd"):
        logs = sorted(pod_logs.glob(f"kube-system_{component}-*/{component}/*.log"), key=lambda p: p.stat().st_mtime)
        if logs:
            with logs[-1].open("rb") as file:
                file.seek(max(logs[-1].stat().st_size - LOG_BYTES, 0))
                line = file.read().decode(errors="replace").strip().rpartition("\n")[2]
            # The CRI's log format: time, stream, tag, text.
            return f"{component}'s log ends with: {' '.join(line.split(' ')[3:])[:500]}"
    return ""


_AFTERWARDS: dict[str, Callable[[nodes.Node], None]] = {
    "kubelet-start": start_kubelet,
    "kubelet-finalize": start_kubelet,
}
"""What kubeadm leaves to the init system, by its phase."""


def _phase(phase: phases.Phase) -> bootstrap.Phase:
    def carry_out(node: nodes.Node, inputs: Mapping[str, str]) -> bootstrap.Outputs:
        refresh_configuration(node, inputs)
        for call in phase.kubeadm:
            try:
                run(node, arguments(call, str(node.layout.kubeadm_configuration)), " ".join(call), phase.timeout)
            except bootstrap.NodePhaseFailed as error:
                if call[0] == "wait-control-plane":
                    raise bootstrap.NodePhaseFailed(f"{error} {last_words(node.layout.pod_logs)}") from error
                raise
            if call[0] in _AFTERWARDS:
                _AFTERWARDS[call[0]](node)
        return {}

    return carry_out


PHASES: dict[str, bootstrap.Phase] = {phase.name: _phase(phase) for phase in phases.PHASES if phase.kubeadm}
