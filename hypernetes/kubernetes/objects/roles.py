# SPDX-License-Identifier: Apache-2.0
"""The tenants' ClusterRoles, bound per namespace; they replace Kubernetes' built-in view, edit and admin.

What is left out on purpose: ``pods/proxy``, ``services/proxy`` and ``nodes/*`` (the apiserver would dial an address
for the tenant: the family of CVE-2020-8555); ``bind``, ``escalate`` and ``impersonate``; writing Endpoints,
EndpointSlices (CVE-2021-25740), quotas, limits, any status or finalizers subresource; resizing and binding pods.
"""

from lightkube.models import rbac_v1 as rbac_models
from lightkube.resources import rbac_authorization_v1 as rbac

from hypernetes.kubernetes.objects import metadata
from hypernetes.model import names

VIEW = "hypernetes:view"
EDIT = "hypernetes:edit"
ADMIN = "hypernetes:admin"
CATALOG = "hypernetes:catalog"
"""Cluster-scoped kinds that every user may read: classes that the operator offers. They reveal nothing of tenants."""

NODE = "hypernetes:node"
"""What a node reads of the namespaces whose pods it runs, beside what every kubelet may."""

OPERATOR = "hypernetes:operator"
"""What the operator may read of the whole cluster. Tenants' Secrets, ConfigMaps and logs are not part of it."""

READ = ("get", "list", "watch")
WRITE = ("create", "update", "patch", "delete", "deletecollection")

_RBAC = "rbac.authorization.k8s.io"

_EDITABLE: dict[str, tuple[str, ...]] = {
    "": ("configmaps", "persistentvolumeclaims", "pods", "podtemplates", "replicationcontrollers",
         "serviceaccounts", "services"),
    "apps": ("daemonsets", "deployments", "replicasets", "statefulsets"),
    "autoscaling": ("horizontalpodautoscalers",),
    "batch": ("cronjobs", "jobs"),
    "coordination.k8s.io": ("leases",),
    "networking.k8s.io": ("ingresses", "networkpolicies"),
    "policy": ("poddisruptionbudgets",),
}  # fmt: skip
"""What view may read and edit may write."""

_SCALES: dict[str, tuple[str, ...]] = {
    "": ("replicationcontrollers/scale",),
    "apps": ("deployments/scale", "replicasets/scale", "statefulsets/scale"),
}

_READABLE: dict[str, tuple[str, ...]] = {
    "": ("endpoints", "events", "limitranges", "pods/log", "pods/status", "resourcequotas"),
    "apps": ("controllerrevisions",),
    "discovery.k8s.io": ("endpointslices",),
    "events.k8s.io": ("events",),
}
"""What every role may read and none may write."""


def cluster_roles() -> list[rbac.ClusterRole]:
    """Return every ClusterRole of Hypernetes."""
    return [
        _role(VIEW, _view()),
        _role(EDIT, _view() + _edit()),
        _role(ADMIN, _view() + _edit() + _admin()),
        _role(CATALOG, _catalog()),
        _role(NODE, _node()),
        _role(OPERATOR, _operator()),
    ]


def catalog_binding() -> rbac.ClusterRoleBinding:
    """Return the binding that lets every authenticated user read the catalog."""
    return rbac.ClusterRoleBinding(
        metadata=metadata.managed(CATALOG),
        roleRef=rbac_models.RoleRef(apiGroup=_RBAC, kind="ClusterRole", name=CATALOG),
        subjects=[rbac_models.Subject(apiGroup=_RBAC, kind="Group", name="system:authenticated")],
    )


def operator_binding() -> rbac.ClusterRoleBinding:
    """Return the binding that lets holders of Keystone's role ``admin`` look after the cluster."""
    return rbac.ClusterRoleBinding(
        metadata=metadata.managed(OPERATOR),
        roleRef=rbac_models.RoleRef(apiGroup=_RBAC, kind="ClusterRole", name=OPERATOR),
        subjects=[rbac_models.Subject(apiGroup=_RBAC, kind="Group", name=names.OPERATOR_GROUP)],
    )


def kubelet_api_binding() -> rbac.ClusterRoleBinding:
    """Return the binding that lets the apiserver's own certificate call kubelets, for logs and exec.

    kubeadm binds it in its phase bootstrap-token, which is left out here because it also publishes tokens; the name is
    kubeadm's own (``KubeletAPIAdminClusterRoleBindingName``).
    """
    return rbac.ClusterRoleBinding(
        metadata=metadata.managed("kubeadm:apiserver-kubelet-client"),
        roleRef=rbac_models.RoleRef(apiGroup=_RBAC, kind="ClusterRole", name="system:kubelet-api-admin"),
        subjects=[rbac_models.Subject(apiGroup=_RBAC, kind="User", name="kube-apiserver-kubelet-client")],
    )


def certificate_binding() -> rbac.ClusterRoleBinding:
    """Return the binding by which the controller manager approves that kubelets renew their client certificates.

    Also of kubeadm's phase bootstrap-token (``NodeAutoApproveCertificateRotationClusterRoleBinding``). Without it a
    kubelet's requests stay pending, and the node ends with its first certificate.
    """
    return rbac.ClusterRoleBinding(
        metadata=metadata.managed("kubeadm:node-autoapprove-certificate-rotation"),
        roleRef=rbac_models.RoleRef(
            apiGroup=_RBAC,
            kind="ClusterRole",
            name="system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
        ),
        subjects=[rbac_models.Subject(apiGroup=_RBAC, kind="Group", name="system:nodes")],
    )


def _view() -> list[rbac_models.PolicyRule]:
    rules = [_rule(group, kinds, READ) for table in (_EDITABLE, _READABLE) for group, kinds in table.items()]
    rules += [_rule(group, kinds, ("get",)) for group, kinds in _SCALES.items()]
    # Through a RoleBinding this is the one namespace alone; listing namespaces would name other tenants.
    return [*rules, _rule("", ("namespaces",), ("get",))]


def _edit() -> list[rbac_models.PolicyRule]:
    rules = [_rule(group, kinds, WRITE) for group, kinds in _EDITABLE.items()]
    rules += [_rule(group, kinds, ("update", "patch")) for group, kinds in _SCALES.items()]
    return [
        *rules,
        _rule("", ("secrets",), (*READ, *WRITE)),
        # kubectl before 1.31 sends GET, later ones open websockets with GET too; SPDY uses POST.
        _rule("", ("pods/attach", "pods/exec", "pods/portforward"), ("get", "create")),
        _rule("", ("pods/eviction", "serviceaccounts/token"), ("create",)),
        _rule("", ("pods/ephemeralcontainers",), ("get", "update", "patch")),
        # Own labels and annotations; an admission policy guards those of Hypernetes, the finalizers and the owners.
        _rule("", ("namespaces",), ("update", "patch")),
        # What charts and operators bring for their service accounts. The apiserver allows no user to grant what it
        # does not hold, unless it has bind or escalate; an admission policy limits the subjects (admission/access.py).
        _rule(_RBAC, ("rolebindings", "roles"), (*READ, *WRITE)),
    ]


def _admin() -> list[rbac_models.PolicyRule]:
    return [_rule("authorization.k8s.io", ("localsubjectaccessreviews",), ("create",))]


def _catalog() -> list[rbac_models.PolicyRule]:
    return [
        _rule("node.k8s.io", ("runtimeclasses",), READ),
        _rule("scheduling.k8s.io", ("priorityclasses",), READ),
        _rule("storage.k8s.io", ("storageclasses",), READ),
        _rule("networking.k8s.io", ("ingressclasses",), READ),
    ]


def _node() -> list[rbac_models.PolicyRule]:
    # Bound per namespace. A kubelet may read all Services anyway; EndpointSlices have the addresses of pods.
    return [_rule("", ("services",), READ), _rule("discovery.k8s.io", ("endpointslices",), READ)]


def _operator() -> list[rbac_models.PolicyRule]:
    return [
        _rule("", ("events", "namespaces", "nodes", "persistentvolumes", "pods", "resourcequotas"), READ),
        _rule("events.k8s.io", ("events",), READ),
    ]


def _rule(group: str, kinds: tuple[str, ...], verbs: tuple[str, ...]) -> rbac_models.PolicyRule:
    return rbac_models.PolicyRule(apiGroups=[group], resources=list(kinds), verbs=list(verbs))


def _role(name: str, rules: list[rbac_models.PolicyRule]) -> rbac.ClusterRole:
    return rbac.ClusterRole(metadata=metadata.managed(name), rules=rules)
