# SPDX-License-Identifier: Apache-2.0
"""The RuntimeClass of tenants' virtual machines and the PriorityClasses tenants may name."""

from lightkube.models import node_v1 as node_models
from lightkube.resources import node_v1 as node
from lightkube.resources import scheduling_v1 as scheduling

from hypernetes.kubernetes.objects import metadata
from hypernetes.model import names

SYSTEM_RUNTIME_CLASS = "runc"
PRIORITY_NORMAL = "hypernetes-normal"
PRIORITY_LOW = "hypernetes-low"
PRIORITIES = (PRIORITY_NORMAL, PRIORITY_LOW)
"""PriorityClasses a tenant's pod may name. None preempts: the victim could be a neighbor's."""


def runtime_class(overhead_memory: str, overhead_cpu: str, handler: str = names.RUNTIME_CLASS) -> node.RuntimeClass:
    """Return the class in which every tenant's pod runs.

    :param overhead_memory: memory of shim and virtual machine monitor per pod, as a Kubernetes quantity.
    :param overhead_cpu: the same for CPU.
    :param handler: containerd's runtime handler.
    """
    return node.RuntimeClass(
        metadata=metadata.managed(names.RUNTIME_CLASS),
        handler=handler,
        overhead=node_models.Overhead(podFixed={"memory": overhead_memory, "cpu": overhead_cpu}),
    )


def system_runtime_class() -> node.RuntimeClass:
    """Return the class of ordinary containers, for pods of the system namespaces.

    Pods there need not name it. It exists so that a tenant who asks for it is refused by a rule that says what to
    do, and not by the apiserver, which would only say that the class does not exist.
    """
    return node.RuntimeClass(metadata=metadata.managed(SYSTEM_RUNTIME_CLASS), handler=SYSTEM_RUNTIME_CLASS)


def priority_classes() -> list[scheduling.PriorityClass]:
    """Return the default class and one below it."""
    return [
        scheduling.PriorityClass(
            metadata=metadata.managed(PRIORITY_NORMAL),
            value=0,
            globalDefault=True,
            preemptionPolicy="Never",
            description="Tenants' pods that name no class.",
        ),
        scheduling.PriorityClass(
            metadata=metadata.managed(PRIORITY_LOW),
            value=-1000,
            preemptionPolicy="Never",
            description="Tenants' pods that may wait, and go first when a node runs short.",
        ),
    ]
