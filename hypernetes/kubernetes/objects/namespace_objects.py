# SPDX-License-Identifier: Apache-2.0
"""Builds the objects that make a Kubernetes namespace a tenant's, without I/O."""

from collections.abc import Iterable
from collections.abc import Mapping

from lightkube.models import core_v1 as core_models
from lightkube.models import meta_v1 as meta
from lightkube.models import rbac_v1 as rbac_models
from lightkube.resources import core_v1 as core
from lightkube.resources import rbac_authorization_v1 as rbac

from hypernetes.kubernetes.bootstrap import order_names
from hypernetes.kubernetes.objects import metadata
from hypernetes.kubernetes.objects import roles
from hypernetes.model import labels
from hypernetes.model import names
from hypernetes.model import records

QUOTA_NAME = "hypernetes"
LIMITS_NAME = "hypernetes"

DEFAULT_QUOTA: Mapping[str, str] = {
    "pods": "200",
    "services": "100",
    "services.nodeports": "0",
    "configmaps": "500",
    "secrets": "500",
    "persistentvolumeclaims": "100",
    "replicationcontrollers": "50",
    "count/serviceaccounts": "50",
    "count/podtemplates": "50",
    "count/deployments.apps": "100",
    "count/replicasets.apps": "1000",
    "count/statefulsets.apps": "100",
    "count/daemonsets.apps": "20",
    "count/controllerrevisions.apps": "1000",
    "count/jobs.batch": "500",
    "count/cronjobs.batch": "50",
    "count/ingresses.networking.k8s.io": "100",
    "count/networkpolicies.networking.k8s.io": "100",
    "count/poddisruptionbudgets.policy": "100",
    "count/horizontalpodautoscalers.autoscaling": "100",
    "count/leases.coordination.k8s.io": "100",
    "count/roles.rbac.authorization.k8s.io": "100",
    "count/rolebindings.rbac.authorization.k8s.io": "100",
}
"""Object counts per namespace; the operator's options add CPU and memory (:func:`capacity`)."""

DEFAULT_LIMITS: Mapping[str, str] = {"ephemeral-storage": "1Gi"}
"""Limits of a container that names none.

None of memory and CPU: most public charts state none, and a limit here would refuse a larger request. The container's
limit is its pod's virtual machine (:func:`hypernetes.kubernetes.objects.limits.machine_size`).
"""

DEFAULT_REQUESTS: Mapping[str, str] = {"cpu": "50m", "memory": "64Mi", "ephemeral-storage": "64Mi"}
"""Requests of a container that names none: the scheduler and quotas count requests, so none is 0."""


def namespace_labels(record: records.Namespace) -> dict[str, str]:
    """Return the labels of a tenant's namespace; an admission policy keeps tenants from changing them.

    :raises ValueError: when the record has no network yet, so that the namespace must not exist either.
    """
    if record.network_id is None:
        raise ValueError(f"namespace {record.id} has no network yet")
    return {
        labels.PROJECT: record.project_id,
        labels.NAMESPACE: record.id,
        labels.NETWORK: record.network_id,
    }


def namespace(record: records.Namespace) -> core.Namespace:
    """Return the Kubernetes namespace. It must be *created*: applying it could take over another one."""
    return core.Namespace(metadata=meta.ObjectMeta(name=record.name, labels=namespace_labels(record)))


def labeled(record: records.Namespace) -> core.Namespace:
    """Return the tenant's own labels on the Kubernetes namespace, to be applied: those that are gone are removed.

    With the UID, since applying would create a namespace that is gone.
    """
    described = meta.ObjectMeta(name=record.name, uid=record.kubernetes_uid, labels=dict(record.labels))
    return core.Namespace(metadata=described)


def role_bindings(record: records.Namespace) -> list[rbac.RoleBinding]:
    """Return one binding per Keystone role; the groups are those that the TokenReview webhook returns."""
    return [
        rbac.RoleBinding(
            metadata=metadata.managed(f"{labels.ROLE_BINDING_PREFIX}{role}", record.name),
            roleRef=rbac_models.RoleRef(
                apiGroup="rbac.authorization.k8s.io", kind="ClusterRole", name=names.CLUSTER_ROLE_OF[role]
            ),
            subjects=[
                rbac_models.Subject(
                    apiGroup="rbac.authorization.k8s.io", kind="Group", name=names.group_of(record.project_id, role)
                )
            ],
        )
        for role in names.KEYSTONE_ROLES
    ]


def node_binding(record: records.Namespace, nodes: Iterable[str]) -> rbac.RoleBinding:
    """Return the binding by which nodes read the namespace's Services and their endpoints, for its pods there.

    :param nodes: names of the nodes that run pods of the namespace.
    """
    return rbac.RoleBinding(
        metadata=metadata.managed(roles.NODE, record.name),
        roleRef=rbac_models.RoleRef(apiGroup="rbac.authorization.k8s.io", kind="ClusterRole", name=roles.NODE),
        subjects=[
            rbac_models.Subject(
                apiGroup="rbac.authorization.k8s.io", kind="User", name=f"{order_names.NODE_USER_PREFIX}{node}"
            )
            for node in sorted(nodes)
        ],
    )


def resource_quota(record: records.Namespace, hard: Mapping[str, str] = DEFAULT_QUOTA) -> core.ResourceQuota:
    """Return the limit on what the namespace holds."""
    spec = core_models.ResourceQuotaSpec(hard=dict(hard))
    return core.ResourceQuota(metadata=metadata.managed(QUOTA_NAME, record.name), spec=spec)


def limit_range(
    record: records.Namespace,
    limits: Mapping[str, str] = DEFAULT_LIMITS,
    requests: Mapping[str, str] = DEFAULT_REQUESTS,
) -> core.LimitRange:
    """Limits and requests of containers that name none."""
    item = core_models.LimitRangeItem(type="Container", default=dict(limits), defaultRequest=dict(requests))
    return core.LimitRange(
        metadata=metadata.managed(LIMITS_NAME, record.name), spec=core_models.LimitRangeSpec(limits=[item])
    )


def capacity(cpu: str, memory: str) -> dict[str, str]:
    """Return the quota of what pods request together; empty quantities are no limit."""
    return {name: amount for name, amount in (("requests.cpu", cpu), ("requests.memory", memory)) if amount}


def contents(
    record: records.Namespace, hard: Mapping[str, str] = DEFAULT_QUOTA
) -> list[rbac.RoleBinding | core.ResourceQuota | core.LimitRange]:
    """Return everything that is applied in the namespace once it exists with the recorded UID."""
    return [resource_quota(record, hard), limit_range(record), *role_bindings(record)]
