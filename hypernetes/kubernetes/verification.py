# SPDX-License-Identifier: Apache-2.0
"""Checks that an apiserver refuses what it must, before any tenant has access.

A policy is in force only a moment after it was stored, so that having applied it proves nothing.
"""

from lightkube.models import core_v1 as core_models
from lightkube.models import meta_v1 as meta
from lightkube.resources import core_v1 as core

from hypernetes.kubernetes import client
from hypernetes.kubernetes.admission import policy

_NAMESPACE = "default"
"""Neither a system namespace, so that the policies apply, nor a tenant's."""


def policies_are_in_force(cluster: client.ClusterClient) -> bool:
    """Tell whether a pod in the host's network is refused by its rule and an ordinary one is not; nothing is created.

    :raises hypernetes.model.errors.Unavailable: the apiserver does not answer.
    """
    refused = cluster.dry_run_create(_pod(host_network=True))
    # Without the mutating policies the ordinary pod would be refused for want of its runtime class, or for its probe.
    accepted = cluster.dry_run_create(_pod(host_network=False)) is None
    return accepted and refused is not None and f"{policy.RULE_PREFIX}host-namespaces: " in refused


def _pod(*, host_network: bool) -> core.Pod:
    # Unless the policy of probes is in force as well, this one has the pod refused.
    probe = core_models.Probe(tcpSocket=core_models.TCPSocketAction(port=1))
    container = core_models.Container(name="main", image="pause", livenessProbe=probe)
    return core.Pod(
        metadata=meta.ObjectMeta(name="hypernetes-verification", namespace=_NAMESPACE),
        spec=core_models.PodSpec(containers=[container], hostNetwork=host_network or None),
    )
