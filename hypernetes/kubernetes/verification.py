# SPDX-License-Identifier: Apache-2.0
"""Asks an apiserver whether it refuses what it must, before any tenant gets in.

A policy is in force only a moment after it was stored, so that having applied it proves nothing.
"""

from lightkube.models import core_v1 as core_models
from lightkube.models import meta_v1 as meta
from lightkube.resources import core_v1 as core

from hypernetes.kubernetes import client
from hypernetes.kubernetes.admission import policy

_NAMESPACE = "default"
"""No system namespace, so the policies hold here, for everybody; no tenant's either."""


def policies_are_in_force(cluster: client.ClusterClient) -> bool:
    """Whether a pod in the host's network is refused by our rule and an ordinary one is not; nothing is created.

    :raises hypernetes.model.errors.Unavailable: the apiserver does not answer.
    """
    refused = cluster.refusal(_pod(host_network=True))
    # Without the mutating policy the ordinary pod would be refused for want of its runtime class.
    accepted = cluster.refusal(_pod(host_network=False)) is None
    return accepted and refused is not None and f"{policy.RULE_PREFIX}host-namespaces: " in refused


def _pod(*, host_network: bool) -> core.Pod:
    container = core_models.Container(name="main", image="pause")
    return core.Pod(
        metadata=meta.ObjectMeta(name="hypernetes-verification", namespace=_NAMESPACE),
        spec=core_models.PodSpec(containers=[container], hostNetwork=host_network or None),
    )
