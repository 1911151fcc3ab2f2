# SPDX-License-Identifier: Apache-2.0
"""Fair queuing in the apiserver (API priority and fairness): no tenant can keep the others from being served.

All requests of a project are one flow, whether its users or its service accounts send them, and whichever namespace
they are for. A schema for each project says so by groups, which no other tenant can have; a flow by user would be as
many flows as a tenant makes service accounts, and one by namespace could be filled by requests that end in 403, since
requests are queued before they are authorized.

Writes have lanes: priority levels with few seats, that lend and borrow none. Each project's writes are in a lane of
their own, made with its first namespace, so that a tenant who writes large objects as fast as possible, or sends them
slowly, takes no more seats than its lane has, and delays others only as far as etcd and the processors do. What bounds
that is :mod:`hypernetes.kubernetes.objects.write_pace`. Lanes are not free, since each one's seats are taken from the
others' share, so there are at most as many as :data:`LANES`; projects beyond that share the least used ones.
"""

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping

from lightkube.models import flowcontrol_v1 as flow_models
from lightkube.resources import flowcontrol_apiserver_v1 as flow

from hypernetes.kubernetes.objects import metadata
from hypernetes.model import ids
from hypernetes.model import labels
from hypernetes.model import names

TENANTS = "hypernetes-tenants"
OTHERS = "hypernetes-others"
CONDUCTOR = "hypernetes-conductor"
LANES = tuple(f"hypernetes-writes-{number}" for number in range(64))
PROJECT_PREFIX = "hypernetes-project-"

_WRITES = ("create", "update", "patch", "delete", "deletecollection")

_CONDUCTOR_PRECEDENCE = 700
_PROJECT_PRECEDENCE = 950
_OTHERS_PRECEDENCE = 1000
"""After every schema of the cluster's own components (the last, kube-system's service accounts, is 900) and before
the built-in service-accounts and global-default, so that everything a tenant can send lands here."""


def flow_objects() -> list[flow.PriorityLevelConfiguration | flow.FlowSchema]:
    """Return the priority levels of tenants' reads and the schemas that are not of one project."""
    return [
        # Half of its seats are the cluster's when tenants do not need them.
        _level(TENANTS, 60, queues=128, lendable=50),
        _level(OTHERS, 5, queues=16, lendable=50),
        _schema(
            CONDUCTOR, _CONDUCTOR_PRECEDENCE, "workload-high", [_group("kubeadm:cluster-admins")], _everything(("*",))
        ),
        # Users of projects that have no namespace here, and what was made a moment ago.
        _schema(
            TENANTS, _OTHERS_PRECEDENCE, OTHERS, [_group("system:authenticated")], _everything(("*",)), by="ByUser"
        ),
    ]


def lane_level(lane: str, write_shares: int) -> flow.PriorityLevelConfiguration:
    """Return the priority level of a lane.

    :param write_shares: its share of the apiserver's concurrency; see ``[kubernetes] tenant_write_shares``.
    """
    return _level(lane, write_shares, queues=32, lendable=0, borrowing=0)


def project_schemas(project_id: ids.ProjectId, namespaces: Iterable[str], lane: str) -> list[flow.FlowSchema]:
    """Return the schemas that make a project's reads one flow and its writes another.

    :param namespaces: names of the project's namespaces in the cluster; those of their service accounts' groups.
    :param lane: the priority level of its writes, one of :data:`LANES`.
    """
    groups = [names.group_of(project_id, role) for role in names.KEYSTONE_ROLES]
    groups += [f"system:serviceaccounts:{namespace}" for namespace in sorted(namespaces)]
    subjects = [_group(name) for name in groups]
    extra = {labels.PROJECT: project_id}
    return [
        _schema(f"{PROJECT_PREFIX}{project_id}-writes", _PROJECT_PRECEDENCE, lane, subjects, _writes(), extra=extra),
        _schema(
            f"{PROJECT_PREFIX}{project_id}-reads",
            _PROJECT_PRECEDENCE + 1,
            TENANTS,
            subjects,
            _everything(("*",)),
            extra=extra,
        ),
    ]


def lane_of(project_id: ids.ProjectId, taken: Mapping[str, str]) -> str:
    """Return a project's lane: the one that it has, or the least used.

    Two projects whose first namespaces are made at the same time may have got the same lane. The second one by ID
    leaves it while there is an unused one.

    :param taken: lanes by project ID.
    """
    has = taken.get(project_id)
    if has in LANES:
        first = min(other for other, lane in taken.items() if lane == has) == project_id
        if first or not set(LANES).difference(taken.values()):
            return has
    return min(LANES, key=lambda lane: (sum(used == lane for used in taken.values()), LANES.index(lane)))


def lanes_taken(schemas: Iterable[flow.FlowSchema]) -> dict[str, str]:
    """Return the lanes that projects have, by project ID, from the schemas in the cluster."""
    taken = {}
    for schema in schemas:
        project = ((schema.metadata.labels if schema.metadata else None) or {}).get(labels.PROJECT)
        level = schema.spec.priorityLevelConfiguration.name if schema.spec else ""
        if project and level in LANES:
            taken[project] = level
    return taken


def unused_lanes(levels: Iterable[flow.PriorityLevelConfiguration], taken: Mapping[str, str]) -> list[str]:
    """Return the names of the lanes among ``levels`` that no project has.

    :param taken: lanes by project ID.
    """
    found = [level.metadata.name for level in levels if level.metadata and level.metadata.name]
    return [name for name in found if name in LANES and name not in taken.values()]


def leftover(schemas: Iterable[flow.FlowSchema], projects: Collection[str]) -> list[str]:
    """Return the names of the schemas of projects that are not among ``projects``."""
    found = []
    for schema in schemas:
        item = schema.metadata
        project = ((item.labels if item else None) or {}).get(labels.PROJECT)
        if item and item.name and project and project not in projects:
            found.append(item.name)
    return found


def _level(
    name: str, shares: int, *, queues: int, lendable: int, borrowing: int | None = None
) -> flow.PriorityLevelConfiguration:
    queuing = flow_models.QueuingConfiguration(queues=queues, handSize=6, queueLengthLimit=50)
    limited = flow_models.LimitedPriorityLevelConfiguration(
        nominalConcurrencyShares=shares,
        lendablePercent=lendable,
        borrowingLimitPercent=borrowing,
        limitResponse=flow_models.LimitResponse(type="Queue", queuing=queuing),
    )
    return flow.PriorityLevelConfiguration(
        metadata=metadata.managed(name),
        spec=flow_models.PriorityLevelConfigurationSpec(type="Limited", limited=limited),
    )


def _group(name: str) -> flow_models.Subject:
    return flow_models.Subject(kind="Group", group=flow_models.GroupSubject(name=name))


def _writes() -> tuple[list[flow_models.ResourcePolicyRule], None]:
    return [_resources(_WRITES)], None


def _everything(
    verbs: tuple[str, ...],
) -> tuple[list[flow_models.ResourcePolicyRule], list[flow_models.NonResourcePolicyRule]]:
    return [_resources(verbs)], [flow_models.NonResourcePolicyRule(nonResourceURLs=["*"], verbs=["*"])]


def _resources(verbs: tuple[str, ...]) -> flow_models.ResourcePolicyRule:
    return flow_models.ResourcePolicyRule(
        apiGroups=["*"], resources=["*"], verbs=list(verbs), namespaces=["*"], clusterScope=True
    )


def _schema(
    name: str,
    precedence: int,
    level: str,
    subjects: list[flow_models.Subject],
    rules: tuple[list[flow_models.ResourcePolicyRule], list[flow_models.NonResourcePolicyRule] | None],
    *,
    by: str | None = None,
    extra: Mapping[str, str] | None = None,
) -> flow.FlowSchema:
    described = metadata.managed(name)
    described.labels = {**(described.labels or {}), **(extra or {})}
    policy = flow_models.PolicyRulesWithSubjects(subjects=subjects, resourceRules=rules[0], nonResourceRules=rules[1])
    return flow.FlowSchema(
        metadata=described,
        spec=flow_models.FlowSchemaSpec(
            matchingPrecedence=precedence,
            priorityLevelConfiguration=flow_models.PriorityLevelConfigurationReference(name=level),
            rules=[policy],
            distinguisherMethod=flow_models.FlowDistinguisherMethod(type=by) if by else None,
        ),
    )
