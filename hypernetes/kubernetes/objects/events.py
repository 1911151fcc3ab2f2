# SPDX-License-Identifier: Apache-2.0
"""Events: what tenants see with ``kubectl describe`` and ``kubectl get events``."""

import datetime

from lightkube.models import core_v1 as core
from lightkube.models import meta_v1 as meta

from hypernetes.kubernetes import resources

_COMPONENT = "hypernetes-conductor"


def pod_warning(
    *, namespace: str, pod_name: str, pod_uid: str, name: str, reason: str, message: str, at: datetime.datetime
) -> resources.Event:
    """Return a warning about a pod.

    :param name: the event's own name, unique in the namespace.
    :param reason: one word in CamelCase, for machines.
    """
    return resources.Event(
        metadata=meta.ObjectMeta(name=name, namespace=namespace),
        involvedObject=core.ObjectReference(
            apiVersion="v1", kind="Pod", namespace=namespace, name=pod_name, uid=pod_uid
        ),
        type="Warning",
        reason=reason,
        message=message,
        source=core.EventSource(component=_COMPONENT),
        reportingComponent=_COMPONENT,
        reportingInstance=_COMPONENT,
        firstTimestamp=at,
        lastTimestamp=at,
        count=1,
    )
