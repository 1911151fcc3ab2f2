# SPDX-License-Identifier: Apache-2.0
"""Lists the objects that make an apiserver a Hypernetes cluster, in the order in which they are applied."""

from lightkube.core import resource

from hypernetes.kubernetes.admission import access
from hypernetes.kubernetes.admission import resources
from hypernetes.kubernetes.admission import workloads
from hypernetes.kubernetes.objects import flowcontrol
from hypernetes.kubernetes.objects import roles
from hypernetes.kubernetes.objects import runtime_and_priority
from hypernetes.kubernetes.objects import volumes
from hypernetes.kubernetes.objects import write_pace


def cluster_objects(
    overhead_memory: str,
    overhead_cpu: str,
    service_subnet: str,
    image_registries: tuple[str, ...] = (),
    privileged: bool = False,
    pace: write_pace.Endpoint | None = None,
) -> list[resource.Resource]:
    """Return everything the conductor applies in phase ``install-objects``.

    Classes come first, because policies demand that pods name them; roles last, so that no tenant has access before
    the policies exist.

    :param overhead_memory: what a pod takes beyond its containers, as a Kubernetes quantity; so with the CPU.
    :param service_subnet: the range of the Services' addresses.
    :param image_registries: the only registries from which images may come; empty for every public one.
    :param privileged: whether tenants may run privileged containers.
    :param pace: where writes are paced; None if nowhere.
    """
    return [
        runtime_and_priority.runtime_class(overhead_memory, overhead_cpu),
        runtime_and_priority.system_runtime_class(),
        *runtime_and_priority.priority_classes(),
        *flowcontrol.flow_objects(),
        *([write_pace.webhook_configuration(pace)] if pace else []),
        *workloads.policies(image_registries, privileged),
        *resources.policies(service_subnet),
        *access.policies(),
        *roles.cluster_roles(),
        roles.catalog_binding(),
        roles.operator_binding(),
        roles.kubelet_api_binding(),
        roles.certificate_binding(),
        *volumes.access(),
    ]
