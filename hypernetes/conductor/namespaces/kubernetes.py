# SPDX-License-Identifier: Apache-2.0
"""The Kubernetes namespace with its quota, defaults and role bindings."""

import contextlib
import time
from collections.abc import Sequence

from oslo_log import log

from hypernetes.conductor import dependencies as context
from hypernetes.conductor.engine import outcome
from hypernetes.kubernetes import client as clients
from hypernetes.kubernetes import finalizers
from hypernetes.kubernetes import project_flows
from hypernetes.kubernetes import resources
from hypernetes.kubernetes import role_bindings
from hypernetes.kubernetes.objects import namespace_objects
from hypernetes.model import errors
from hypernetes.model import kinds
from hypernetes.model import labels
from hypernetes.model import records
from hypernetes.model import states

_POLL = 2.0
_BLOCKED_POLL = 10.0
"""Every kind of the namespace is listed then."""
_NAMED_OBJECTS = 3
_SERVICE_ACCOUNT = "default"
_SERVICE_ACCOUNT_POLL = 0.5
_WAITING = "Waiting for Kubernetes to terminate the namespace's pods."

LOG = log.getLogger(__name__)

_BLOCKING_CONDITIONS = frozenset(
    {
        "NamespaceContentRemaining",
        "NamespaceFinalizersRemaining",
        "NamespaceDeletionContentFailure",
        "NamespaceDeletionDiscoveryFailure",
        "NamespaceDeletionGroupVersionParsingFailure",
    }
)
"""Conditions of a terminating namespace: https://pkg.go.dev/k8s.io/api/core/v1#NamespaceConditionType."""
_CONDITION_LENGTH = 300
_GRACE_SECONDS = 30.0
"""Grace period for terminating pods, in seconds; after it, blocking conditions are reported."""


def ensure_kubernetes_namespace(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """Create the Kubernetes namespace; one that Hypernetes did not create is never taken over."""
    client = dependencies.clusters.for_cluster(dependencies.db.clusters.get(namespace.cluster_id))
    found = client.find(resources.Namespace, namespace.name)
    if namespace.kubernetes_uid is not None:
        if found is None or _uid(found) != namespace.kubernetes_uid:
            reason = (
                f"the namespace {namespace.name} was deleted or replaced in the cluster; "
                "run openstack kube namespace delete"
            )
            raise errors.Refused(service="Kubernetes", reason=reason)
        return namespace
    if found is None:
        found = client.create(namespace_objects.namespace(namespace))
    elif not _is_owned(found, namespace):
        raise errors.NameTaken(kind=kinds.Kind.NAMESPACE, name=namespace.name)
    return dependencies.db.namespaces.observe(namespace.id, kubernetes_uid=_uid(found))


def delete_kubernetes_namespace(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """Delete the Kubernetes namespace and wait until its pods are gone. One of another owner is kept.

    The apiserver of a lost cluster is not asked.
    """
    cluster = dependencies.db.clusters.get(namespace.cluster_id)
    if cluster.lost:
        return namespace
    client = dependencies.clusters.for_cluster(cluster)
    found = client.find(resources.Namespace, namespace.name)
    if found is None:
        return namespace
    if namespace.kubernetes_uid is None:
        if not _is_owned(found, namespace):
            return namespace
        namespace = dependencies.db.namespaces.observe(namespace.id, kubernetes_uid=_uid(found))
    if _uid(found) != namespace.kubernetes_uid:
        return namespace
    if found.metadata is not None and found.metadata.deletionTimestamp is None:
        client.delete(resources.Namespace, namespace.name, uid=namespace.kubernetes_uid)
    began = found.metadata.deletionTimestamp if found.metadata is not None else None
    elapsed = time.time() - began.timestamp() if began is not None else 0.0
    # At first, remaining objects are expected.
    if elapsed <= _GRACE_SECONDS:
        raise outcome.Waiting(_WAITING, _POLL)
    timeout = dependencies.conf.conductor.finalizer_timeout
    blocked = _blocked_objects(client, namespace, remove=elapsed > timeout)
    sentences = (_WAITING, *_blocking_conditions(found), *_blocked_sentences(blocked, timeout))
    raise outcome.Waiting(" ".join(sentences), _BLOCKED_POLL)


def forget_service_accounts(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """Remove the namespace's service accounts from other namespaces' role bindings, before its name may be reused."""
    cluster = dependencies.db.clusters.get(namespace.cluster_id)
    if cluster.lost:
        return namespace
    changed = role_bindings.forget_service_accounts(dependencies.clusters.for_cluster(cluster), namespace.name)
    if changed:
        LOG.info("Namespace %s: its service accounts were removed from %d role bindings", namespace.id, changed)
    return namespace


def _blocked_objects(
    client: clients.ClusterClient, namespace: records.Namespace, *, remove: bool
) -> list[finalizers.BlockedObject]:
    """Return the objects whose finalizers block the deletion; with ``remove``, remove those that nothing else will."""
    blocked = finalizers.blocked_objects(client, namespace.name)
    for item in blocked if remove else ():
        if item.remaining == item.finalizers:
            continue
        LOG.warning("Namespace %s: removing the finalizers of %s", namespace.id, item)
        with contextlib.suppress(errors.NotFound):
            finalizers.remove_finalizers(client, item)
    return blocked


def _blocked_sentences(blocked: Sequence[finalizers.BlockedObject], timeout: float) -> list[str]:
    if not blocked:
        return []
    names = ", ".join(str(item)[:_CONDITION_LENGTH] for item in blocked[:_NAMED_OBJECTS])
    more = f" and {len(blocked) - _NAMED_OBJECTS} more" if len(blocked) > _NAMED_OBJECTS else ""
    return [f"Finalizers keep {names}{more}; they are removed {timeout:.0f} s after the deletion began."]


def apply_labels(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """Apply the tenant's own labels to the Kubernetes namespace, and remove those that the tenant no longer wants."""
    if not namespace.labels and not namespace.labels_pending:
        return namespace
    client = dependencies.clusters.for_cluster(dependencies.db.clusters.get(namespace.cluster_id))
    client.apply(namespace_objects.labeled(namespace))
    if not namespace.labels_pending:
        return namespace
    return dependencies.db.namespaces.observe(namespace.id, expect=namespace.generation, labels_pending=False)


def apply_contents(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """Apply quota, defaults and role bindings; quota first, so that it holds before any tenant has access."""
    client = dependencies.clusters.for_cluster(dependencies.db.clusters.get(namespace.cluster_id))
    options = dependencies.conf.kubernetes
    capacity = namespace_objects.capacity(options.namespace_cpu, options.namespace_memory)
    for item in namespace_objects.contents(namespace, {**namespace_objects.DEFAULT_QUOTA, **capacity}):
        client.apply(item)
    client.apply(namespace_objects.node_binding(namespace, _nodes(dependencies, namespace)))
    mine = dependencies.db.namespaces.list(cluster_id=namespace.cluster_id, project_id=namespace.project_id)
    project_flows.apply_project_flows(client, project_flows.by_project(mine), options.tenant_write_shares)
    return namespace


def _nodes(dependencies: context.Dependencies, namespace: records.Namespace) -> set[str]:
    """Return the names of the nodes that have a pod of the namespace, or had one until just now."""
    wanted = {port.node_id for port in dependencies.db.ports.list(namespace_id=namespace.id)}
    return {node.name for node in dependencies.db.nodes.list(cluster_id=namespace.cluster_id) if node.id in wanted}


def await_service_account(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """Wait for the service account that Kubernetes makes in each namespace: until then it refuses pods."""
    if namespace.status is states.NamespaceStatus.ACTIVE:
        return namespace
    client = dependencies.clusters.for_cluster(dependencies.db.clusters.get(namespace.cluster_id))
    if client.find(resources.ServiceAccount, _SERVICE_ACCOUNT, namespace.name) is None:
        raise outcome.Waiting("Waiting for Kubernetes to create its service account.", _SERVICE_ACCOUNT_POLL)
    return namespace


def _blocking_conditions(found: resources.Namespace) -> list[str]:
    """Return what still blocks the namespace: objects, their finalizers, or an extension that does not answer."""
    conditions = (found.status.conditions if found.status is not None else None) or []
    blocking = [c for c in conditions if c.type in _BLOCKING_CONDITIONS and c.status == "True" and c.message]
    return [(c.message or "").strip().rstrip(".")[:_CONDITION_LENGTH] + "." for c in blocking]


def _uid(item: resources.Namespace) -> str:
    return str(item.metadata.uid) if item.metadata is not None else ""


def _is_owned(item: resources.Namespace, namespace: records.Namespace) -> bool:
    """Tell whether it was created for this record: only cluster administrators can set labels of namespaces."""
    found = (item.metadata.labels if item.metadata is not None else None) or {}
    return found.get(labels.NAMESPACE) == namespace.id
