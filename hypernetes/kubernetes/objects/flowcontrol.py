# SPDX-License-Identifier: Apache-2.0
"""Fair queuing in the apiserver (API priority and fairness): no tenant can keep the others from being served."""

from lightkube.models import flowcontrol_v1 as flow_models
from lightkube.resources import flowcontrol_apiserver_v1 as flow

from hypernetes.kubernetes.objects import metadata

TENANTS = "hypernetes-tenants"
CONDUCTOR = "hypernetes-conductor"

_CONDUCTOR_PRECEDENCE = 700
_TENANTS_PRECEDENCE = 1000
"""After every schema of the cluster's own components (the last, kube-system's service accounts, is 900) and before
the built-in service-accounts and global-default, so that everything a tenant can send lands here."""


def flow_objects() -> list[flow.PriorityLevelConfiguration | flow.FlowSchema]:
    """Return the tenants' priority level and the two flow schemas."""
    return [_level(), _conductor_schema(), _tenants_schema()]


def _level() -> flow.PriorityLevelConfiguration:
    queuing = flow_models.QueuingConfiguration(queues=128, handSize=6, queueLengthLimit=50)
    limited = flow_models.LimitedPriorityLevelConfiguration(
        nominalConcurrencyShares=60,
        lendablePercent=50,
        limitResponse=flow_models.LimitResponse(type="Queue", queuing=queuing),
    )
    return flow.PriorityLevelConfiguration(
        metadata=metadata.managed(TENANTS),
        spec=flow_models.PriorityLevelConfigurationSpec(type="Limited", limited=limited),
    )


def _tenants_schema() -> flow.FlowSchema:
    # By user, not by namespace: requests are queued before they are authorized, so a tenant could fill the queue of
    # a namespace that is not its own with requests that end in 403.
    return _schema(
        TENANTS,
        _TENANTS_PRECEDENCE,
        TENANTS,
        flow_models.Subject(kind="Group", group=flow_models.GroupSubject(name="system:authenticated")),
        flow_models.FlowDistinguisherMethod(type="ByUser"),
    )


def _conductor_schema() -> flow.FlowSchema:
    return _schema(
        CONDUCTOR,
        _CONDUCTOR_PRECEDENCE,
        "workload-high",
        flow_models.Subject(kind="Group", group=flow_models.GroupSubject(name="kubeadm:cluster-admins")),
        None,
    )


def _schema(
    name: str,
    precedence: int,
    level: str,
    subject: flow_models.Subject,
    distinguisher: flow_models.FlowDistinguisherMethod | None,
) -> flow.FlowSchema:
    everything = flow_models.PolicyRulesWithSubjects(
        subjects=[subject],
        resourceRules=[
            flow_models.ResourcePolicyRule(
                apiGroups=["*"], resources=["*"], verbs=["*"], namespaces=["*"], clusterScope=True
            )
        ],
        nonResourceRules=[flow_models.NonResourcePolicyRule(nonResourceURLs=["*"], verbs=["*"])],
    )
    return flow.FlowSchema(
        metadata=metadata.managed(name),
        spec=flow_models.FlowSchemaSpec(
            matchingPrecedence=precedence,
            priorityLevelConfiguration=flow_models.PriorityLevelConfigurationReference(name=level),
            rules=[everything],
            distinguisherMethod=distinguisher,
        ),
    )
