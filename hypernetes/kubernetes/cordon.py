# SPDX-License-Identifier: Apache-2.0
"""Cordons the Kubernetes nodes that an operator has disabled.

The apiserver records which client has set a field, so a node that kubectl has cordoned stays cordoned when Hypernetes
no longer wants it to be (https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management).
"""

from lightkube.models import core_v1 as core_models
from lightkube.models import meta_v1 as meta
from lightkube.resources import core_v1 as core

from hypernetes.kubernetes import client as clients
from hypernetes.model import labels

NO_REASON = "An operator has disabled the node in Hypernetes."
"""The annotation of a node that was disabled without a reason."""


def ensure(client: clients.ClusterClient, name: str, *, disabled: bool, reason: str | None) -> bool:
    """Cordon a node, or withdraw what this function has set; return whether the node exists.

    :raises errors.Unavailable: when the apiserver does not answer, or the node is replaced meanwhile.
    """
    found = client.find(core.Node, name)
    if found is None or found.metadata is None:
        return False
    uid = str(found.metadata.uid)
    if disabled:
        client.apply(cordoned(name, uid, reason))
    elif labels.DISABLED_ANNOTATION in (found.metadata.annotations or {}):
        client.apply(released(name, uid))
    return True


def cordoned(name: str, uid: str, reason: str | None) -> core.Node:
    """Return the fields of a disabled node that belong to Hypernetes."""
    # With the UID, since applying would create a node that is gone.
    metadata = meta.ObjectMeta(name=name, uid=uid, annotations={labels.DISABLED_ANNOTATION: reason or NO_REASON})
    return core.Node(metadata=metadata, spec=core_models.NodeSpec(unschedulable=True))


def released(name: str, uid: str) -> core.Node:
    """Return the fields of a node that is enabled: none, so that the apiserver removes those of :func:`cordoned`."""
    return core.Node(metadata=meta.ObjectMeta(name=name, uid=uid))
