# SPDX-License-Identifier: Apache-2.0
"""The StorageClasses that the operator offers, and what the CSI driver and its sidecars may do in a cluster."""

from collections.abc import Mapping

from lightkube.core import resource
from lightkube.models import rbac_v1 as rbac_models
from lightkube.resources import rbac_authorization_v1 as rbac
from lightkube.resources import storage_v1 as storage

from hypernetes.kubernetes import client as clients
from hypernetes.kubernetes.objects import metadata
from hypernetes.model import labels
from hypernetes.model import names

_DEFAULT = "storageclass.kubernetes.io/is-default-class"
_READ = ["get", "list", "watch"]
_RBAC = "rbac.authorization.k8s.io"

# What upstream's csi-provisioner asks for (deploy/kubernetes/rbac.yaml of v6.4.0), without snapshots, Secrets and
# leases; and the namespaces, whose UIDs the driver compares.
_RULES: tuple[tuple[str, str, list[str]], ...] = (
    ("", "persistentvolumes", [*_READ, "create", "patch", "delete"]),
    ("", "persistentvolumeclaims", [*_READ, "update"]),
    ("", "events", ["list", "watch", "create", "update", "patch"]),
    ("", "namespaces", ["get"]),
    ("", "nodes", _READ),
    ("storage.k8s.io", "csinodes", _READ),
    ("storage.k8s.io", "storageclasses", _READ),
    ("storage.k8s.io", "volumeattachments", _READ),
)


def access() -> list[resource.Resource]:
    """Return the role of the CSI driver and its sidecars, and the binding of their user."""
    rules = [rbac_models.PolicyRule(apiGroups=[group], resources=[kind], verbs=verbs) for group, kind, verbs in _RULES]
    return [
        rbac.ClusterRole(metadata=metadata.managed(names.VOLUMES_USER), rules=rules),
        rbac.ClusterRoleBinding(
            metadata=metadata.managed(names.VOLUMES_USER),
            roleRef=rbac_models.RoleRef(apiGroup=_RBAC, kind="ClusterRole", name=names.VOLUMES_USER),
            subjects=[rbac_models.Subject(apiGroup=_RBAC, kind="User", name=names.VOLUMES_USER)],
        ),
    ]


def storage_classes(offered: Mapping[str, str]) -> list[storage.StorageClass]:
    """Return a StorageClass for each volume type that the operator offers; the first one is the default.

    :param offered: Cinder's volume types, ID or name, by the names of the classes.
    """
    made = []
    for number, (name, volume_type) in enumerate(offered.items()):
        about = metadata.managed(name)
        about.annotations = {_DEFAULT: "true" if number == 0 else "false"}
        made.append(
            storage.StorageClass(
                metadata=about,
                provisioner=names.CSI_DRIVER,
                parameters={names.VOLUME_TYPE_PARAMETER: volume_type, "csi.storage.k8s.io/fstype": "ext4"},
                reclaimPolicy="Delete",
                volumeBindingMode="Immediate",
                allowVolumeExpansion=False,
            )
        )
    return made


def apply_storage_classes(client: clients.ClusterClient, offered: Mapping[str, str]) -> None:
    """Have the cluster offer these classes and no others of Hypernetes.

    What a class says cannot be changed, so one that says something else is made again; volumes keep what they are.

    :raises errors.Unavailable, errors.Refused: as the client does.
    """
    wanted = {str(item.metadata.name): item for item in storage_classes(offered) if item.metadata is not None}
    for current in client.list(storage.StorageClass, labels={labels.MANAGED_BY: labels.FIELD_MANAGER}):
        if current.metadata is None:
            continue
        name = str(current.metadata.name)
        if name not in wanted or _fixed(current) != _fixed(wanted[name]):
            client.delete(storage.StorageClass, name, uid=current.metadata.uid)
    for item in wanted.values():
        client.apply(item)


def _fixed(item: storage.StorageClass) -> tuple[object, ...]:
    """Return what the apiserver does not let change."""
    return item.provisioner, dict(item.parameters or {}), item.reclaimPolicy, item.volumeBindingMode
