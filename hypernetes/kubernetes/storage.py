# SPDX-License-Identifier: Apache-2.0
"""The size of a cluster's etcd database, as its apiserver reports it."""

import datetime
import re

from lightkube.models import core_v1 as core_models
from lightkube.models import meta_v1 as meta
from lightkube.resources import core_v1 as core

from hypernetes.kubernetes import client
from hypernetes.model import labels

# STABLE in https://kubernetes.io/docs/reference/instrumentation/metrics/: the file's size, which the quota limits.
_SIZE = re.compile(r"^apiserver_storage_size_bytes(?:\{[^}]*\})? (\S+)$", re.MULTILINE)
_NAMESPACE = "kube-system"


def database_size(cluster: client.ClusterClient) -> int | None:
    """Return the bytes of the largest database behind the apiserver; None if it has not measured one yet.

    :raises hypernetes.model.errors.Unavailable: the apiserver does not answer.
    """
    sizes = [int(float(size)) for size in _SIZE.findall(cluster.read_text("/metrics"))]
    return max(sizes, default=None)


def size_event(node: str, message: str, now: datetime.datetime) -> core.Event:
    """Return the event at etcd's pod of a control node."""
    pod = f"etcd-{node}"
    return core.Event(
        metadata=meta.ObjectMeta(name=f"{pod}.hypernetes-size", namespace=_NAMESPACE),
        involvedObject=core_models.ObjectReference(apiVersion="v1", kind="Pod", name=pod, namespace=_NAMESPACE),
        type="Warning",
        reason="EtcdNearlyFull",
        message=message,
        source=core_models.EventSource(component=labels.FIELD_MANAGER),
        lastTimestamp=now,
    )
