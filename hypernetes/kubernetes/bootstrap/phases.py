# SPDX-License-Identifier: Apache-2.0
"""The phases of a cluster's bootstrap as one table, in the order in which they run.

Each phase is idempotent: an interrupted one is run again, and a retry resumes at the phase that failed.
The order of those that call ``kubeadm init phase …`` is kubeadm's own; kube-proxy and CoreDNS are left out (kube-proxy
would program tenants' overlapping addresses on the host), and so are bootstrap tokens, which nothing needs: a worker
joins with a certificate that the conductor has signed for it (:mod:`hypernetes.kubernetes.bootstrap.join`).
"""

import enum
from dataclasses import dataclass


class Where(enum.StrEnum):
    """Who carries out a phase."""

    NODE = "node"
    """The agent of the control node, on a :class:`hypernetes.rpc.messages.PhaseOrder`."""

    CONDUCTOR = "conductor"
    """The conductor, through the apiserver."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One named step of the bootstrap."""

    name: str
    summary: str
    """What exists when it is done, in one sentence; logged then."""
    where: Where
    remedy: str
    """What an operator does when it fails; the last sentence of ``status_reason``."""
    kubeadm: tuple[tuple[str, ...], ...] = ()
    """Arguments after ``kubeadm init phase`` of each call the agent makes; ``--config`` is added by the agent."""
    timeout: int = 120
    """Timeout of the phase in seconds; after it, the phase is reported as failed."""


_LOOK_AT_NODE = "Look at the agent's log on the node, fix the cause, then run openstack kube cluster retry."
_LOOK_AT_KUBELET = (
    "Look at the logs of kubelet and containerd on the node (an image that cannot be pulled is the usual cause), "
    "fix the cause, then run openstack kube cluster retry."
)
_LOOK_AT_APISERVER = (
    "Check that the conductor reaches the apiserver's address and that etcd is healthy, "
    "then run openstack kube cluster retry."
)

PHASES: tuple[Phase, ...] = (
    Phase(
        "prepare",
        "containerd runs; kubelet's program, the CNI configuration and the apiserver's files are in place.",
        Where.NODE,
        _LOOK_AT_NODE,
    ),
    Phase(
        "preflight",
        "kubeadm found the node fit to be a control node and pulled the images.",
        Where.NODE,
        "Fix what kubeadm's preflight checks name, then run openstack kube cluster retry.",
        (("preflight",),),
        timeout=600,
    ),
    Phase("certs", "The cluster's CAs and certificates exist.", Where.NODE, _LOOK_AT_NODE, (("certs", "all"),)),
    Phase(
        "kubeconfig",
        "The components' own kubeconfigs exist.",
        Where.NODE,
        _LOOK_AT_NODE,
        (("kubeconfig", "all"),),
    ),
    Phase("etcd", "etcd's static pod is written.", Where.NODE, _LOOK_AT_NODE, (("etcd", "local"),)),
    Phase(
        "control-plane",
        "The static pods of apiserver, controller manager and scheduler are written.",
        Where.NODE,
        _LOOK_AT_NODE,
        (("control-plane", "all"),),
    ),
    Phase(
        "kubelet-start",
        "kubelet has its configuration and runs.",
        Where.NODE,
        _LOOK_AT_KUBELET,
        (("kubelet-start",),),
    ),
    Phase(
        "wait-control-plane",
        "apiserver, controller manager and scheduler answer their health checks.",
        Where.NODE,
        _LOOK_AT_KUBELET,
        (("wait-control-plane",),),
        timeout=420,
    ),
    Phase(
        "finalize",
        "The configuration is stored in the cluster, the node is marked, kubelet uses a certificate that it renews.",
        Where.NODE,
        _LOOK_AT_KUBELET,
        (("upload-config", "all"), ("mark-control-plane",), ("kubelet-finalize", "all")),
        timeout=300,
    ),
    Phase(
        "sign-client",
        "The cluster's CA has signed the conductor's own certificate.",
        Where.NODE,
        _LOOK_AT_NODE,
    ),
    Phase(
        "forget-admin",
        "No administrator's kubeconfig is left on the node.",
        Where.NODE,
        _LOOK_AT_NODE,
    ),
    Phase(
        "install-objects",
        "RuntimeClass, admission policies, roles and fair queuing are installed.",
        Where.CONDUCTOR,
        _LOOK_AT_APISERVER,
    ),
    Phase(
        "verify",
        "The control node is Ready and the admission policies refuse what they must.",
        Where.CONDUCTOR,
        _LOOK_AT_KUBELET,
        timeout=300,
    ),
)
"""Every phase of a bootstrap, first to last."""

RESET = Phase(
    "reset",
    "Nothing of the cluster is left on the node: programs stopped, files and cgroups removed.",
    Where.NODE,
    "Look at the agent's log on the node; deleting the cluster again resumes the reset.",
    timeout=300,
)
"""The one phase of a deletion, of a cluster or of a worker."""

RENEW = Phase(
    # Not "renew": earlier agents know that, but do not write the files that the arguments name now, so the apiserver
    # could not start. A phase that they do not know they refuse.
    "renew-control-plane",
    "The control plane and the conductor have new certificates.",
    Where.NODE,
    "Look at the agent's log on the node; the conductor orders the renewal again at its next audit.",
    timeout=900,
)
"""The phase of an ACTIVE cluster, when a third of its certificates' life is left."""

PREPARE_WORKER = Phase(
    "prepare-worker",
    "containerd runs; the CNI configuration is in place, and the key of the kubelet's certificate is made.",
    Where.NODE,
    "Look at the agent's log on the node.",
    timeout=300,
)
JOIN = Phase(
    "join",
    "kubeadm has configured the kubelet as the cluster's, and it runs.",
    Where.NODE,
    "Look at the agent's and the kubelet's log on the node.",
    (("preflight",), ("kubelet-start",)),
    timeout=300,
)
"""The phases of a worker, first to last; the arguments are those after ``kubeadm join phase``."""

_BY_NAME = {phase.name: phase for phase in (*PHASES, RESET, RENEW, PREPARE_WORKER, JOIN)}


def get_phase(name: str) -> Phase:
    """Return the phase called ``name``.

    :raises KeyError: when there is none, for instance because a newer conductor ordered it.
    """
    return _BY_NAME[name]


def next_phase(name: str | None) -> Phase | None:
    """Return the bootstrap phase that follows ``name``: the first one after None, None after the last."""
    if name is None:
        return PHASES[0]
    names = [phase.name for phase in PHASES]
    position = names.index(name) + 1
    return PHASES[position] if position < len(PHASES) else None
