# SPDX-License-Identifier: Apache-2.0
"""Renders kubeadm's configuration of a worker node, without I/O. What it shares with others, it reads from the cluster.

A worker joins without a bootstrap token. Anyone who holds one may ask for the certificate of any node that does not
exist yet; here the agent makes the kubelet's key, which never leaves the node, and the conductor has the cluster sign
a certificate for this node's name and no other.
"""

from dataclasses import dataclass
from typing import Any

import yaml

from hypernetes.kubernetes.bootstrap import kubeadm


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """Everything a worker's configuration depends on; nothing in it is secret."""

    node_name: str
    node_address: str
    cgroup_root: str
    ignored_preflight_checks: tuple[str, ...] = ()


def configuration(spec: WorkerSpec) -> str:
    """Return the YAML documents for ``kubeadm join phase …``, without the paths, which are the agent's to add."""
    return yaml.safe_dump_all([join_configuration(spec), kubelet_patch(spec)], sort_keys=False)


def join_configuration(spec: WorkerSpec) -> dict[str, Any]:
    """Return what is particular to this node."""
    return {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "JoinConfiguration",
        "nodeRegistration": kubeadm.node_registration(spec.node_name, spec.node_address, spec.ignored_preflight_checks),
        "timeouts": {"kubernetesAPICall": "1m0s", "discovery": "1m0s"},
    }


def kubelet_patch(spec: WorkerSpec) -> dict[str, Any]:
    """Return where the node's kubelet differs from the configuration that the cluster keeps for all."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupRoot": spec.cgroup_root,
    }
