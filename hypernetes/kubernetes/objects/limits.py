# SPDX-License-Identifier: Apache-2.0
"""What a pod may use at most, by its containers' limits."""

from lightkube.models import core_v1
from lightkube.utils import quantity

from hypernetes.kubernetes.objects import namespace_objects

_RESOURCE = "ephemeral-storage"
_MAXIMUM = (1 << 63) - 1
"""Kubernetes' quantities have no bound; the node's numbers do."""


def ephemeral_storage(pod: core_v1.Pod) -> int:
    """Bytes a pod may write: into its containers' root file systems and its empty directories.

    As the scheduler counts: containers at the same time are summed, init containers come one after another, and one
    that is restarted always (a sidecar) runs on beside all that come after it. A container without a limit counts
    with the one that namespaces give by default.
    """
    spec = pod.spec
    if spec is None:
        return 0
    running = 0
    most = 0
    for container in spec.initContainers or ():
        if container.restartPolicy == "Always":
            running += _limit(container)
            most = max(most, running)
        else:
            most = max(most, running + _limit(container))
    total = max(most, running + sum(_limit(container) for container in spec.containers))
    return min(total, _MAXIMUM)


def _limit(container: core_v1.Container) -> int:
    stated = ((container.resources and container.resources.limits) or {}).get(_RESOURCE)
    parsed = quantity.parse_quantity(stated or namespace_objects.DEFAULT_LIMITS[_RESOURCE])
    return 0 if parsed is None else int(parsed)
