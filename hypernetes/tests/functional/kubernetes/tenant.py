# SPDX-License-Identifier: Apache-2.0
"""Two tenants on a real apiserver, and small manifests they may or may not create."""

import copy
from typing import Any

from lightkube import codecs
from lightkube.resources import admissionregistration_v1 as admission
from lightkube.resources import core_v1 as core

from hypernetes.kubernetes import client
from hypernetes.kubernetes import project_flows
from hypernetes.kubernetes.objects import install
from hypernetes.kubernetes.objects import namespace_objects
from hypernetes.kubernetes.objects import write_pace
from hypernetes.model import ids
from hypernetes.model import names
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.tests.functional.kubernetes import control_plane

RED_PROJECT = ids.ProjectId("0" * 31 + "1")
BLUE_PROJECT = ids.ProjectId("0" * 31 + "2")

OVERHEAD_MEMORY = "96Mi"
"""Any will do; the tests look for it in pods."""


def record(name: str, project: ids.ProjectId) -> records.Namespace:
    """An active namespace of a project."""
    return records.Namespace(
        id=ids.NamespaceId(ids.new_uuid()),
        project_id=project,
        cluster_id=ids.ClusterId(ids.new_uuid()),
        name=name,
        status=states.NamespaceStatus.ACTIVE,
        network_id=ids.NetworkId(ids.new_uuid()),
    )


def install_cluster(administrator: client.ClusterClient, pace: write_pace.Endpoint | None = None) -> None:
    """Apply everything of a cluster, twice (it must be idempotent), and wait until the policies are in force."""
    for _ in range(2):
        for item in install.cluster_objects(OVERHEAD_MEMORY, "50m", control_plane.SERVICE_SUBNET, pace=pace):
            administrator.apply(item)

    def all_checked() -> bool:
        policies = administrator.list(admission.ValidatingAdmissionPolicy)
        return all(p.status is not None and p.status.observedGeneration is not None for p in policies)

    control_plane.wait_for("the policies' type check", all_checked)


def make_namespace(administrator: client.ClusterClient, name: str, project: ids.ProjectId) -> records.Namespace:
    """A tenant's namespace as the conductor makes it."""
    made = record(name, project)
    administrator.create(namespace_objects.namespace(made))
    for item in namespace_objects.contents(made):
        administrator.apply(item)
    project_flows.apply_project_flows(administrator, {project: [name]}, 5)
    # The controller manager makes it; without it no pod is admitted.
    control_plane.wait_for(
        "the default service account", lambda: administrator.find(core.ServiceAccount, "default", name) is not None
    )
    return made


def person(
    plane: control_plane.ControlPlane, user: str, project: ids.ProjectId, role: str = "member"
) -> client.ClusterClient:
    """A client that authenticates as the webhook would have it: a user id, and groups by role."""
    groups = tuple(names.group_of(project, one) for one in _implied(role))
    return plane.connect(names.user_of(ids.UserId(user)), *groups)


def _implied(role: str) -> tuple[str, ...]:
    return names.KEYSTONE_ROLES[: names.KEYSTONE_ROLES.index(role) + 1]


def manifest(kind: str, api: str, name: str, **rest: Any) -> Any:
    """A typed object from a manifest as a tenant would write it."""
    return codecs.from_dict(
        {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "red-one"}, **copy.deepcopy(rest)}
    )


def pod_spec(**changes: Any) -> dict[str, Any]:
    """An ordinary pod's spec with ``changes`` on top; ``container`` changes the container."""
    container = {"name": "main", "image": "busybox", **changes.pop("container", {})}
    return {"containers": [container], **changes}


def pod(name: str = "pod", **changes: Any) -> Any:
    """A pod."""
    return manifest("Pod", "v1", name, spec=pod_spec(**changes))


def template(**changes: Any) -> dict[str, Any]:
    """A pod template with the label that the workloads below select."""
    return {"metadata": {"labels": {"app": "demo"}}, "spec": pod_spec(**changes)}


def workloads(name: str = "demo", **changes: Any) -> dict[str, Any]:
    """One object of every kind that carries a pod template."""
    selector = {"matchLabels": {"app": "demo"}}
    inside = template(**changes)
    once = copy.deepcopy(inside)
    once["spec"]["restartPolicy"] = "Never"
    service = {"serviceName": "demo"}
    return {
        "Deployment": manifest("Deployment", "apps/v1", name, spec={"selector": selector, "template": inside}),
        "ReplicaSet": manifest("ReplicaSet", "apps/v1", name, spec={"selector": selector, "template": inside}),
        "DaemonSet": manifest("DaemonSet", "apps/v1", name, spec={"selector": selector, "template": inside}),
        "StatefulSet": manifest(
            "StatefulSet", "apps/v1", name, spec={"selector": selector, "template": inside, **service}
        ),
        "Job": manifest("Job", "batch/v1", name, spec={"template": once}),
        "CronJob": manifest(
            "CronJob", "batch/v1", name, spec={"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": once}}}
        ),
        "ReplicationController": manifest(
            "ReplicationController", "v1", name, spec={"selector": {"app": "demo"}, "template": inside}
        ),
        "PodTemplate": manifest("PodTemplate", "v1", name, template=inside),
    }
