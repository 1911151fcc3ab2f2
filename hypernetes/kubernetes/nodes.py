# SPDX-License-Identifier: Apache-2.0
"""Kubernetes nodes: whether they are Ready, which pods they have, and how these are evicted."""

from collections.abc import Iterable

from lightkube.resources import core_v1 as core

from hypernetes.kubernetes import client as clients
from hypernetes.model import errors

_MIRROR = "kubernetes.io/config.mirror"
"""Annotation of a static pod, which only its node's kubelet can remove."""


def is_ready(node: core.Node) -> bool:
    """Return whether the kubelet reports the node Ready."""
    conditions = (node.status.conditions if node.status is not None else None) or []
    return any(condition.type == "Ready" and condition.status == "True" for condition in conditions)


def evictable_pods(client: clients.ClusterClient, node: str) -> list[core.Pod]:
    """Return the pods of a node that must leave it: all but static ones and those of DaemonSets, which come back."""
    pods = client.list(core.Pod, clients.ALL_NAMESPACES)
    return [pod for pod in pods if pod.spec is not None and pod.spec.nodeName == node and not _stays(pod)]


def _stays(pod: core.Pod) -> bool:
    if pod.metadata is None or _MIRROR in (pod.metadata.annotations or {}):
        return True
    return any(owner.kind == "DaemonSet" and owner.controller for owner in pod.metadata.ownerReferences or [])


def evict(client: clients.ClusterClient, pods: Iterable[core.Pod]) -> list[str]:
    """Evict pods, as far as their PodDisruptionBudgets allow it.

    :returns: a sentence for each that may not be evicted yet.
    """
    refused = []
    for pod in pods:
        if pod.metadata is None or pod.metadata.deletionTimestamp is not None:
            continue
        namespace, name = pod.metadata.namespace, pod.metadata.name
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            # Not another pod that has the name by now.
            "deleteOptions": {"preconditions": {"uid": pod.metadata.uid}},
        }
        try:
            client.request("POST", f"/api/v1/namespaces/{namespace}/pods/{name}/eviction", body=body)
        except errors.NotFound:
            continue
        except errors.Unavailable as error:
            # 429 is the answer where a budget forbids it now (https://kubernetes.io/docs/concepts/scheduling-eviction/
            # api-eviction/), and 409 where the pod is another one.
            refused.append(f"{namespace}/{name}: {error.message}")
    return refused
