# SPDX-License-Identifier: Apache-2.0
"""What a namespace that is being created is waiting for, as its owner reads it."""

from hypernetes.conductor import dependencies as context
from hypernetes.conductor.engine import steps
from hypernetes.conductor.namespaces import kubernetes
from hypernetes.conductor.namespaces import network
from hypernetes.conductor.namespaces import project
from hypernetes.model import records
from hypernetes.model import states

Step = steps.Step[records.Namespace]

_PARTS: tuple[tuple[Step, str, str | None], ...] = (
    (project.ensure_project, "router and subnet pool of the project", "network_id"),
    (network.ensure_network, "network", "network_id"),
    (network.ensure_subnet, "subnet", "subnet_id"),
    (network.ensure_router_interface, "router interface", "router_id"),
    (network.ensure_security_group, "security group", "security_group_id"),
    (kubernetes.ensure_kubernetes_namespace, "Kubernetes namespace", "kubernetes_uid"),
    (kubernetes.apply_contents, "quota and roles", None),
    (kubernetes.await_service_account, "service account", None),
)
"""Each step, what it makes, and the field that says that it is made."""


def begin(dependencies: context.Dependencies, namespace: records.Namespace, step: Step) -> records.Namespace:
    """Note the step that a namespace in CREATING begins; one whose result is recorded is not noted.

    :raises errors.StaleGeneration: when the intent has changed.
    """
    current = sentence(namespace, step)
    if current is None or (namespace.status_reason or "").startswith(current):
        # A step that is retried keeps the reason why it has to be.
        return namespace
    return dependencies.db.namespaces.observe(namespace.id, expect=namespace.generation, status_reason=current)


def sentence(namespace: records.Namespace, step: Step) -> str | None:
    """Return the ``status_reason`` of a namespace at a step; None if the step has nothing to create."""
    if namespace.status is not states.NamespaceStatus.CREATING:
        return None
    for number, (known, noun, field) in enumerate(_PARTS, 1):
        if known is step:
            is_made = field is not None and getattr(namespace, field) is not None
            return None if is_made or _is_skipped(namespace, step) else f"Step {number} of {len(_PARTS)}: {noun}."
    return None


def explain(namespace: records.Namespace, step: Step, reason: str) -> str:
    """Return the reason why a step has not succeeded yet, after the step's own sentence."""
    return " ".join(part for part in (sentence(namespace, step), reason) if part)


def _is_skipped(namespace: records.Namespace, step: Step) -> bool:
    # A tenant's own network is routed by the tenant.
    return step is network.ensure_router_interface and namespace.requested_network_id is not None
