# SPDX-License-Identifier: Apache-2.0
"""Names that more than one package must agree on: users, groups, roles, the runtime, reserved namespaces."""

import re

from hypernetes.model import ids

API_DOMAIN = "hypernetes.internal"
"""Domain of the apiservers' names where the operator has none; ICANN has reserved .internal for private use."""

RUNTIME_CLASS = "hyper"
"""Name of the RuntimeClass and of containerd's runtime handler for tenant pods."""

RUNTIME_TYPE = "io.containerd.hyper.v2"
"""containerd's runtime type: it looks for the executable containerd-shim-hyper-v2."""

CSI_DRIVER = "cinder.csi.hypernetes.openstack.org"
"""Name of the CSI driver: the provisioner of the operator's StorageClasses."""

VOLUME_TYPE_PARAMETER = "type"
"""Parameter of a StorageClass that names Cinder's volume type, by ID or name."""

VOLUMES_USER = "hypernetes:volumes"
"""The Kubernetes user as which the CSI driver and its sidecars work, by a client certificate."""

PORT_DEVICE_OWNER = "compute:hypernetes"
"""device_owner of a pod's Neutron port; ``compute:`` makes Neutron treat it as an instance's."""

SERVICE_TYPE = "kubernetes"
"""Type of the service in Keystone's catalog, and in application credentials' access rules."""

TOKEN_REVIEW_PATH = "/v1/clusters/{cluster_id}/tokenreview"  # noqa: S105 - a path
WRITE_PACE_PATH = "/v1/clusters/{cluster_id}/write-pace"
"""Path of hypernetes-webhook for a cluster; also what stands for a login in the access rules of credentials.

Kubeconfigs that users have name it: a change locks them out.
"""

GROUP_PREFIX = "hypernetes:project:"
USER_PREFIX = "keystone:"
SERVICE_ACCOUNTS_GROUP = "system:serviceaccounts"
"""Kubernetes' group of every service account."""
OPERATOR_GROUP = "hypernetes:operator"
"""The Kubernetes group of those who hold Keystone's role ``admin`` in any project, as the API's policies have it."""

SYSTEM_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease"})
"""Namespaces to which the tenants' admission policies do not apply."""

RESERVED_NAMESPACES = SYSTEM_NAMESPACES | {"default"}
RESERVED_PREFIXES = ("kube-", "hypernetes-", "openstack-")

KEYSTONE_ROLES = ("reader", "member", "manager", "admin")
"""Keystone roles that mean something in a cluster, weakest first."""

CLUSTER_ROLE_OF = {
    "reader": "hypernetes:view",
    "member": "hypernetes:edit",
    "manager": "hypernetes:admin",
    "admin": "hypernetes:admin",
}
"""Keystone role → ClusterRole of Hypernetes, bound in each of the project's namespaces."""

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DNS_SUBDOMAIN_LENGTH = 253
_LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


def is_dns_label(name: str) -> bool:
    """Whether ``name`` is a DNS label as RFC 1123 (and Kubernetes for namespaces) has it."""
    return _DNS_LABEL.fullmatch(name) is not None


def is_dns_subdomain(name: str) -> bool:
    """Whether ``name`` is labels with dots between them, as Kubernetes has it for the names of pods."""
    if len(name) > _DNS_SUBDOMAIN_LENGTH:
        return False
    return re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", name) is not None


def is_label_key(key: str) -> bool:
    """Whether ``key`` may be that of a Kubernetes label.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
    """
    prefix, slash, name = key.rpartition("/")
    return _LABEL.fullmatch(name) is not None and (not slash or is_dns_subdomain(prefix))


def is_label_value(value: str) -> bool:
    """Whether ``value`` may be that of a Kubernetes label."""
    return value == "" or _LABEL.fullmatch(value) is not None


def api_host(cluster_name: str, domain: str | None) -> str:
    """Return the DNS name of a cluster's apiserver."""
    return f"{cluster_name}.{domain or API_DOMAIN}"


def token_review_path(cluster_id: ids.ClusterId) -> str:
    """Return the path of hypernetes-webhook for a cluster."""
    return TOKEN_REVIEW_PATH.format(cluster_id=cluster_id)


def write_pace_path(cluster_id: ids.ClusterId) -> str:
    """Return the path of hypernetes-webhook that paces a cluster's writes."""
    return WRITE_PACE_PATH.format(cluster_id=cluster_id)


def group_of(project_id: ids.ProjectId, role: str) -> str:
    """The Kubernetes group of those who hold ``role`` in a project."""
    return f"{GROUP_PREFIX}{project_id}:{role}"


def member_group_of(project_id: ids.ProjectId, user_id: ids.UserId) -> str:
    """The Kubernetes group of one user as a member of a project.

    Only tokens of the project carry it, so what is bound to it ends with the user's last role there.
    """
    return f"{GROUP_PREFIX}{project_id}:user:{user_id}"


def user_of(user_id: ids.UserId) -> str:
    """The Kubernetes user name of a Keystone user; never a name the user chose."""
    return f"{USER_PREFIX}{user_id}"


def reserved_rule(name: str) -> str | None:
    """The rule that reserves a namespace name, or None if tenants may have it."""
    if name in RESERVED_NAMESPACES:
        return f"{name} belongs to Kubernetes"
    for prefix in RESERVED_PREFIXES:
        if name.startswith(prefix):
            return f"the prefix {prefix} is reserved"
    return None


def tap_name(port_id: ids.NeutronPortId) -> str:
    """Name of a port's TAP device; Linux allows 15 characters, Neutron's convention takes 11 of the id."""
    return f"tap{port_id[:11]}"
