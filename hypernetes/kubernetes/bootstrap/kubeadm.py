# SPDX-License-Identifier: Apache-2.0
"""Renders kubeadm's configuration (``kubeadm.k8s.io/v1beta4``) and the kubelet's, without I/O.

What is set here and why stands beside each value; everything else is kubeadm's default. The files that the
apiserver is pointed to are rendered by :mod:`hypernetes.kubernetes.bootstrap.apiserver_files`.
"""

from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from hypernetes.kubernetes.bootstrap import apiserver_files

WEBHOOK_CACHE_SECONDS = 10
"""How long the apiserver trusts a TokenReview. Together with the webhook's own cache (at most 20 s) it must stay
under the 60 s within which a removed role loses access; failed reviews are cached by the apiserver for no longer."""

SERVICE_ACCOUNT_LIFETIME = "1h"
"""The cap on TokenRequests: the longest time for which a workload's access outlives its creator's role."""

WATCH_SECONDS = 300
"""The shortest time after which kube-apiserver ends a watch of a client that states none; the longest is twice this."""

COMPACTION_BATCH = 20
"""Revisions that etcd compacts at a time: at most 30 MiB. With its pause of 10 ms after each, it still compacts up to
2,000 a second."""

API_PORT = 6443
CONTAINERD_SOCKET = "unix:///run/containerd/containerd.sock"


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """Everything a control node's configuration depends on; nothing in it is secret."""

    cluster_name: str
    node_name: str
    """Kubernetes node name, host name and chassis name in one."""
    node_address: str
    """The address the apiserver advertises; kubeadm refuses a loopback one."""
    kubernetes_version: str
    """With the leading v."""
    service_subnet: str
    cgroup_root: str
    """cgroup under which kubelet keeps pods; it must exist in every hierarchy before kubelet starts."""
    eviction: Mapping[str, str]
    """The kubelet's hard eviction thresholds."""
    certificate_validity: int
    """Seconds for which the control plane's certificates are valid; the CAs are kubeadm's ten years."""
    etcd_quota: int = 8 << 30
    """Size of etcd's database in bytes at which it refuses writes."""
    endpoint_name: str | None = None
    """DNS name of the apiserver; None for a cluster that has only the address."""
    extra_certificate_names: tuple[str, ...] = ()
    """Further names and addresses under which users reach the apiserver."""
    image_repository: str = "registry.k8s.io"
    ignored_preflight_checks: tuple[str, ...] = ()
    """Checks that become warnings. A node without systemd or with swap needs some."""
    taint_control_node: bool = False
    """False where tenants' pods run on the control node as well (the one-node standalone)."""
    admission_plugins: tuple[str, ...] = ("NodeRestriction", "OwnerReferencesPermissionEnforcement")
    """Beyond those on by default, which include every plugin for policies in CEL, LimitRanger and ResourceQuota."""


def cgroup_root(node_name: str) -> str:
    """Return the cgroup that holds a node's pods; several nodes may share a machine."""
    return f"/hypernetes/{node_name}"


def endpoint(address: str) -> str:
    """Return host and port of the apiserver at an address or a name."""
    return f"[{address}]:{API_PORT}" if ":" in address else f"{address}:{API_PORT}"


def configuration(spec: ClusterSpec) -> str:
    """Return the YAML documents for ``kubeadm init phase … --config``."""
    documents = [init_configuration(spec), cluster_configuration(spec), kubelet_configuration(spec)]
    return yaml.safe_dump_all(documents, sort_keys=False)


def init_configuration(spec: ClusterSpec) -> dict[str, Any]:
    """Return what is particular to this node."""
    taint = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
    return {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "InitConfiguration",
        "localAPIEndpoint": {"advertiseAddress": spec.node_address, "bindPort": API_PORT},
        "nodeRegistration": node_registration(
            spec.node_name,
            spec.node_address,
            spec.ignored_preflight_checks,
            (taint,) if spec.taint_control_node else (),
        ),
        "timeouts": {
            "controlPlaneComponentHealthCheck": "5m0s",
            "kubeletHealthCheck": "5m0s",
            # wait-control-plane makes its first call with this limit, so a slow machine would fail after a minute.
            "kubernetesAPICall": "5m0s",
        },
    }


def node_registration(
    name: str, address: str, ignored_preflight_checks: Iterable[str], taints: Iterable[Mapping[str, str]] = ()
) -> dict[str, Any]:
    """Return how a node registers, as a control node or as a worker."""
    return {
        "name": name,
        "criSocket": CONTAINERD_SOCKET,
        "imagePullPolicy": "IfNotPresent",
        # An empty list is not the same as none: kubeadm taints the control node when the key is missing.
        "taints": list(taints),
        "ignorePreflightErrors": list(ignored_preflight_checks),
        "kubeletExtraArgs": _arguments({"hostname-override": name, "node-ip": address}),
    }


def cluster_configuration(spec: ClusterSpec) -> dict[str, Any]:
    """Return what is the same on every control node of the cluster."""
    return {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "clusterName": spec.cluster_name,
        "kubernetesVersion": spec.kubernetes_version,
        "imageRepository": spec.image_repository,
        # Never a node's own address if there is a name: it stands in every kubelet's kubeconfig.
        "controlPlaneEndpoint": endpoint(spec.endpoint_name or spec.node_address),
        "certificateValidityPeriod": f"{spec.certificate_validity}s",
        "networking": {"serviceSubnet": spec.service_subnet},
        "apiServer": {
            "certSANs": [*filter(None, [spec.endpoint_name]), spec.node_address, *spec.extra_certificate_names],
            "extraArgs": _arguments(api_server_arguments(spec)),
            "extraVolumes": [
                # kubeadm mounts files one by one, so that the apiserver does not see the rest of /etc.
                _volume("hypernetes-config", apiserver_files.DIRECTORY, read_only=True),
                _volume("hypernetes-audit", apiserver_files.AUDIT_LOG_DIRECTORY, read_only=False),
            ],
        },
        "controllerManager": {
            "extraArgs": _arguments(
                {
                    # Pods get their addresses from Neutron; a pod CIDR per node would mean nothing.
                    "allocate-node-cidrs": "false",
                    "profiling": "false",
                }
            )
        },
        "scheduler": {"extraArgs": _arguments({"profiling": "false"})},
        "etcd": {"local": {"extraArgs": _arguments(etcd_arguments(spec))}},
        # Neither is installed (their phases are not run); saying so keeps later kubeadm upgrades from adding them.
        "proxy": {"disabled": True},
        "dns": {"disabled": True},
    }


def etcd_arguments(spec: ClusterSpec) -> dict[str, str]:
    """Return the flags of etcd beyond kubeadm's own."""
    return {
        "quota-backend-bytes": str(spec.etcd_quota),
        # A batch reads its revisions while requests wait. With etcd's 1000, one tenant's revisions of 900 KiB held them
        # for up to 21 s a minute.
        "compaction-batch-limit": str(COMPACTION_BATCH),
    }


def api_server_arguments(spec: ClusterSpec) -> dict[str, str]:
    """Return the flags of kube-apiserver beyond kubeadm's own."""
    return {
        # Only health checks are answered without authentication.
        "authentication-config": apiserver_files.AUTHENTICATION,
        "authentication-token-webhook-config-file": apiserver_files.WEBHOOK,
        "authentication-token-webhook-version": "v1",
        "authentication-token-webhook-cache-ttl": f"{WEBHOOK_CACHE_SECONDS}s",
        "service-account-max-token-expiration": SERVICE_ACCOUNT_LIFETIME,
        # Otherwise projected tokens are silently extended to a year.
        "service-account-extend-token-expiration": "false",
        "encryption-provider-config": apiserver_files.ENCRYPTION,
        "audit-policy-file": apiserver_files.AUDIT_POLICY,
        "audit-log-path": f"{apiserver_files.AUDIT_LOG_DIRECTORY}/audit.log",
        "audit-log-maxsize": "100",
        "audit-log-maxbackup": "10",
        "audit-log-maxage": "30",
        "admission-control-config-file": apiserver_files.ADMISSION,
        "enable-admission-plugins": ",".join(spec.admission_plugins),
        # etcd keeps every version of an object until then; what is written in between must fit beside what there is.
        "etcd-compaction-interval": "1m0s",
        # kubelets' serving certificates are the cluster's (serverTLSBootstrap): without this flag a machine that takes
        # a node's address reads what the apiserver sends to it.
        "kubelet-certificate-authority": "/etc/kubernetes/pki/ca.crt",
        # A watch that names no time of its own ends after 5 to 10 minutes and not after half an hour to an hour: what
        # a removed role still has open ends with it.
        "min-request-timeout": str(WATCH_SECONDS),
        # The policies of hypernetes.kubernetes.admission are admissionregistration.k8s.io/v1, served by default.
        "profiling": "false",
    }


def kubelet_configuration(spec: ClusterSpec) -> dict[str, Any]:
    """Return the kubelet's configuration of this and every joining node, apart from kubeadm's defaults."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": spec.cgroup_root,
        # cgroup v1 is deprecated upstream but is all some kernels offer.
        "failCgroupV1": False,
        "failSwapOn": False,
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True, "cacheTTL": "10s"}},
        "authorization": {"mode": "Webhook"},
        "readOnlyPort": 0,
        "evictionHard": dict(spec.eviction),
        "rotateCertificates": True,
        # The conductor approves the requests (hypernetes.kubernetes.serving_certificates).
        "serverTLSBootstrap": True,
        # An exec or port-forward through which nothing is sent; the default is four hours.
        "streamingConnectionIdleTimeout": "30m0s",
        "serializeImagePulls": False,
        "maxParallelImagePulls": 4,
        # A container's log is the only thing of a tenant that grows on the host's disk.
        "containerLogMaxSize": "10Mi",
        "containerLogMaxFiles": 3,
        "enableProfilingHandler": False,
    }


def _arguments(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _volume(name: str, path: str, *, read_only: bool) -> dict[str, Any]:
    return {"name": name, "hostPath": path, "mountPath": path, "readOnly": read_only, "pathType": "DirectoryOrCreate"}
