# SPDX-License-Identifier: Apache-2.0
"""Has the apiserver ask hypernetes-webhook about tenants' writes, which takes the longer the larger they are.

Fair queuing bounds how many writes of a project are in progress, but not how large they are. Neither a quota nor a
policy in CEL bounds bytes per second, and a limit of the network's bytes would not either: a small patch of a large
object writes all of it. What the webhook does is said in :mod:`hypernetes.auth.write_pace`.

It decides nothing, so the apiserver goes on without it (``failurePolicy: Ignore``), and pods that controllers make do
not pass it.
"""

import base64
from dataclasses import dataclass

from lightkube.models import admissionregistration_v1 as admission_models
from lightkube.resources import admissionregistration_v1 as admission

from hypernetes.kubernetes.admission import policy
from hypernetes.kubernetes.objects import metadata

NAME = "hypernetes-write-pace"
TIMEOUT_SECONDS = 10
"""Longer than the webhook takes for the largest object."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where hypernetes-webhook paces a cluster's writes."""

    url: str
    ca_pem: str
    """The CA that signed the webhook's certificate; public."""


def webhook_configuration(endpoint: Endpoint) -> admission.ValidatingWebhookConfiguration:
    """Return the object that has the apiserver ask for each write of a tenant to an object of a namespace."""
    every = admission_models.RuleWithOperations(
        apiGroups=["*"], apiVersions=["*"], resources=["*"], operations=["CREATE", "UPDATE"], scope="Namespaced"
    )
    conditions = (policy.exempting_the_cluster_itself(), ("not-a-node", _NOT_A_NODE))
    return admission.ValidatingWebhookConfiguration(
        metadata=metadata.managed(NAME),
        webhooks=[
            admission_models.ValidatingWebhook(
                name="write-pace.hypernetes.openstack.org",
                admissionReviewVersions=["v1"],
                clientConfig=admission_models.WebhookClientConfig(
                    url=endpoint.url, caBundle=base64.b64encode(endpoint.ca_pem.encode()).decode()
                ),
                # A delay harms nothing, so a dry run, which costs the apiserver as much, is delayed as well.
                sideEffects="None",
                failurePolicy="Ignore",
                timeoutSeconds=TIMEOUT_SECONDS,
                namespaceSelector=policy.outside_the_system(),
                rules=[every],
                matchConditions=[
                    admission_models.MatchCondition(name=name, expression=expression) for name, expression in conditions
                ],
            )
        ],
    )


_NOT_A_NODE = '!("system:nodes" in request.userInfo.?groups.orValue([]))'
