# SPDX-License-Identifier: Apache-2.0
"""Applies the rules of pods to pods, to their subresources and to everything that carries a pod template."""

from dataclasses import dataclass

from lightkube.core import resource

from hypernetes.kubernetes.admission import images
from hypernetes.kubernetes.admission import policy
from hypernetes.kubernetes.admission import probes
from hypernetes.kubernetes.admission import rules
from hypernetes.model import names


@dataclass(frozen=True, slots=True)
class Workload:
    """Kinds whose pod spec has the same path."""

    name: str
    """Of the policy, after ``hypernetes-``."""
    path: str
    """CEL path from the object to its PodSpec."""
    targets: tuple[policy.Target, ...]
    rules: tuple[policy.Rule, ...]


WORKLOADS = (
    Workload(
        "pods",
        "spec",
        (policy.Target("", ("pods", "pods/ephemeralcontainers")),),
        rules.FOR_PODS,
    ),
    Workload(
        "pod-templates",
        "spec.template.spec",
        (
            policy.Target("apps", ("daemonsets", "deployments", "replicasets", "statefulsets")),
            policy.Target("batch", ("jobs",)),
            policy.Target("", ("replicationcontrollers",)),
        ),
        rules.FOR_TEMPLATES,
    ),
    Workload(
        "cron-jobs",
        "spec.jobTemplate.spec.template.spec",
        (policy.Target("batch", ("cronjobs",)),),
        rules.FOR_TEMPLATES,
    ),
    Workload(
        "stored-templates",
        "template.spec",
        (policy.Target("", ("podtemplates",)),),
        rules.FOR_TEMPLATES,
    ),
)
"""Every kind that becomes a pod, by the path of its PodSpec."""


def policies(registries: tuple[str, ...] = (), privileged: bool = False) -> list[resource.Resource]:
    """Return the policies of pods and templates, and those that make pods fit for virtual machines.

    :param registries: the only registries from which images may come; empty for every public one.
    :param privileged: whether privileged containers are allowed.
    """
    allowed = {rules.PRIVILEGED} if privileged else set()
    made: list[resource.Resource] = []
    for workload in WORKLOADS:
        made += policy.validating(
            f"hypernetes-{workload.name}",
            workload.targets,
            (*(rule for rule in workload.rules if rule not in allowed), *images.rules(registries)),
            variables=_variables(workload.path),
            conditions=(_changed(workload.path),),
        )
    return [*made, *_runtime_class(), *probes.policies()]


def _variables(path: str) -> tuple[tuple[str, str], ...]:
    # Containers, init containers and ephemeral ones have different types but the same fields where rules look.
    containers = " + ".join(
        f"object.{path}.?{kind}.orValue([]).map(c, dyn(c))"
        for kind in ("containers", "initContainers", "ephemeralContainers")
    )
    images_of_volumes = f'object.{path}.?volumes.orValue([]).map(v, v.?image.?reference.orValue(""))'
    return (
        ("spec", f"object.{path}"),
        ("containers", containers),
        ("images", f'variables.containers.map(c, c.?image.orValue("")) + {images_of_volumes}'),
    )


def _changed(path: str) -> tuple[str, str]:
    """What was admitted under older rules can still be labeled, scaled and finalized."""
    return ("spec-is-new", f'request.operation == "CREATE" || object.{path} != oldObject.{path}')


def _runtime_class() -> list[resource.Resource]:
    return [
        *policy.mutating(
            "hypernetes-runtime-class",
            (policy.Target("", ("pods",), ("CREATE",)),),
            policy.configuration(f'Object{{spec: Object.spec{{runtimeClassName: "{names.RUNTIME_CLASS}"}}}}'),
            conditions=(("no-runtime-class", "!has(object.spec.runtimeClassName)"),),
        )
    ]
