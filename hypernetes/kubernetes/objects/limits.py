# SPDX-License-Identifier: Apache-2.0
"""What a pod may use at most, by its containers' limits."""

import decimal
import math
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass

from lightkube.models import core_v1
from lightkube.utils import quantity

from hypernetes.kubernetes.objects import namespace_objects

_RESOURCE = "ephemeral-storage"
_MAXIMUM = (1 << 63) - 1
"""Kubernetes' quantities have no bound; the node's numbers do."""


def ephemeral_storage(pod: core_v1.Pod) -> int:
    """Return the bytes a pod may write: into its containers' root file systems and its empty directories.

    As the scheduler counts: containers at the same time are summed, init containers come one after another, and one
    that is restarted always (a sidecar) runs on beside all that come after it. A container without a limit counts
    with the one that namespaces give by default.
    """
    return 0 if pod.spec is None else min(_at_most(pod.spec, _limit), _MAXIMUM)


@dataclass(frozen=True, slots=True)
class MachineSize:
    """What a pod's virtual machine offers its containers."""

    memory: int
    """Bytes."""
    cpus: int


def machine_size(pod: core_v1.Pod, default_memory: int, default_cpus: int) -> MachineSize:
    """Return the size of a pod's machine, which is the only limit of a container that states none.

    Memory is the sum over the containers of the limit, or of the larger of request and default where there is none;
    CPUs are the sum of the limits, rounded up, and no fewer than the default where a container states none. What the
    pod states as a whole (``spec.resources``) counts instead.

    :param default_memory: bytes of a container that states no limit.
    :param default_cpus: CPUs of a pod with such a container.
    """
    spec = pod.spec
    if spec is None:
        return MachineSize(default_memory, default_cpus)
    return MachineSize(min(_memory(spec, default_memory), _MAXIMUM), _cpus(spec, default_cpus))


def _memory(spec: core_v1.PodSpec, default: int) -> int:
    limit = _limit_on(spec.resources, "memory")
    if limit:
        return math.ceil(limit)
    request = _request_of(spec.resources, "memory")

    def wanted(container: core_v1.Container) -> int:
        resources = container.resources
        stated = _limit_on(resources, "memory")
        return math.ceil(stated) or max(math.ceil(_request_of(resources, "memory")), default)

    return max(_at_most(spec, wanted), math.ceil(request))


def _cpus(spec: core_v1.PodSpec, default: int) -> int:
    limit = _limit_on(spec.resources, "cpu")
    if limit:
        return max(1, math.ceil(limit))

    def wanted(container: core_v1.Container) -> int:
        resources = container.resources
        stated = _limit_on(resources, "cpu")
        return math.ceil(1000 * (stated or _request_of(resources, "cpu")))

    total = math.ceil(_at_most(spec, wanted) / 1000)
    everyone = [*(spec.initContainers or ()), *spec.containers]
    if all(_limit_on(one.resources, "cpu") for one in everyone):
        return max(1, total)
    return max(default, total)


def _at_most(spec: core_v1.PodSpec, amount: Callable[[core_v1.Container], int]) -> int:
    """Return the most of a resource that a pod's containers take at the same time."""
    running = 0
    most = 0
    for container in spec.initContainers or ():
        if container.restartPolicy == "Always":
            running += amount(container)
            most = max(most, running)
        else:
            most = max(most, running + amount(container))
    return max(most, running + sum(amount(container) for container in spec.containers))


def _limit_on(resources: core_v1.ResourceRequirements | None, name: str) -> decimal.Decimal:
    return _quantity(resources.limits if resources else None, name)


def _request_of(resources: core_v1.ResourceRequirements | None, name: str) -> decimal.Decimal:
    return _quantity(resources.requests if resources else None, name)


def _quantity(amounts: Mapping[str, str] | None, name: str) -> decimal.Decimal:
    return quantity.parse_quantity((amounts or {}).get(name)) or decimal.Decimal(0)


def _limit(container: core_v1.Container) -> int:
    stated = ((container.resources and container.resources.limits) or {}).get(_RESOURCE)
    parsed = quantity.parse_quantity(stated or namespace_objects.DEFAULT_LIMITS[_RESOURCE])
    return 0 if parsed is None else int(parsed)
