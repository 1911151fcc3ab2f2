# SPDX-License-Identifier: Apache-2.0
"""Turns rules into ValidatingAdmissionPolicies and mutations into MutatingAdmissionPolicies, without I/O."""

from dataclasses import dataclass

from lightkube.models import admissionregistration_v1 as admission_models
from lightkube.models import meta_v1 as meta
from lightkube.resources import admissionregistration_v1 as admission

from hypernetes.kubernetes.objects import metadata
from hypernetes.model import names

RULE_PREFIX = "hypernetes/"
"""Prefix of every rule's name in a refusal."""

EXEMPT_USERS = ("system:apiserver", "system:kube-controller-manager", "system:kube-scheduler")
EXEMPT_GROUPS = ("kubeadm:cluster-admins", "system:masters", "system:serviceaccounts:kube-system")
"""The cluster's own components and its operators. No tenant is among them: the TokenReview webhook names users
``keystone:<user id>`` and groups ``hypernetes:project:…``, and kube-system's service accounts are not theirs."""


def cel_list(words: tuple[str, ...]) -> str:
    """Return a CEL list of strings; the words are constants and need no quoting."""
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that must be true of an object."""

    name: str
    """What a refusal is called, without the prefix; a word or two with hyphens."""
    expression: str
    """CEL that is true of what is allowed. What it does not expect is refused, because the policy fails closed."""
    message: str
    """What is not allowed and what to do instead; one sentence or two, without the name."""

    def refusal(self) -> str:
        """Return the message that a user sees; it names the rule."""
        return f"{RULE_PREFIX}{self.name}: {self.message}"


@dataclass(frozen=True, slots=True)
class Target:
    """The requests that a policy applies to."""

    group: str
    resources: tuple[str, ...]
    operations: tuple[str, ...] = ("CREATE", "UPDATE")
    versions: tuple[str, ...] = ("v1",)


def exempting_the_cluster_itself() -> tuple[str, str]:
    """Return a match condition that exempts the cluster's own components and its operators."""
    return (
        "not-the-cluster-itself",
        f"!(request.userInfo.username in {cel_list(EXEMPT_USERS)} || "
        f"request.userInfo.?groups.orValue([]).exists(g, g in {cel_list(EXEMPT_GROUPS)}))",
    )


def validating(
    name: str,
    targets: tuple[Target, ...],
    rules: tuple[Rule, ...],
    *,
    variables: tuple[tuple[str, str], ...] = (),
    conditions: tuple[tuple[str, str], ...] = (),
) -> list[admission.ValidatingAdmissionPolicy | admission.ValidatingAdmissionPolicyBinding]:
    """Return a policy and the binding that puts it into force.

    :param variables: name and CEL of what rules refer to as ``variables.<name>``.
    :param conditions: name and CEL of what must be true for the policy to look at a request at all.
    """
    return [
        admission.ValidatingAdmissionPolicy(
            metadata=metadata.managed(name),
            spec=admission_models.ValidatingAdmissionPolicySpec(
                failurePolicy="Fail",
                matchConstraints=_match(targets),
                matchConditions=[admission_models.MatchCondition(name=n, expression=e) for n, e in conditions] or None,
                variables=[admission_models.Variable(name=n, expression=e) for n, e in variables] or None,
                validations=[
                    admission_models.Validation(expression=rule.expression, message=rule.refusal(), reason="Forbidden")
                    for rule in rules
                ],
            ),
        ),
        admission.ValidatingAdmissionPolicyBinding(
            metadata=metadata.managed(name),
            spec=admission_models.ValidatingAdmissionPolicyBindingSpec(policyName=name, validationActions=["Deny"]),
        ),
    ]


def configuration(expression: str) -> admission_models.Mutation:
    """Return a mutation that merges the object of ``expression`` (CEL of an apply configuration)."""
    return admission_models.Mutation(
        patchType="ApplyConfiguration",
        applyConfiguration=admission_models.ApplyConfiguration(expression=expression),
    )


def patch(expression: str) -> admission_models.Mutation:
    """Return a mutation that applies the JSON patch of ``expression`` (CEL of a list of ``JSONPatch``)."""
    return admission_models.Mutation(patchType="JSONPatch", jsonPatch=admission_models.JSONPatch(expression=expression))


def mutating(
    name: str,
    targets: tuple[Target, ...],
    mutation: admission_models.Mutation,
    *,
    variables: tuple[tuple[str, str], ...] = (),
    conditions: tuple[tuple[str, str], ...] = (),
) -> list[admission.MutatingAdmissionPolicy | admission.MutatingAdmissionPolicyBinding]:
    """Return a policy that mutates what it applies to; variables and conditions are those of :func:`validating`."""
    return [
        admission.MutatingAdmissionPolicy(
            metadata=metadata.managed(name),
            spec=admission_models.MutatingAdmissionPolicySpec(
                failurePolicy="Fail",
                reinvocationPolicy="IfNeeded",
                matchConstraints=_match(targets),
                matchConditions=[admission_models.MatchCondition(name=n, expression=e) for n, e in conditions] or None,
                variables=[admission_models.Variable(name=n, expression=e) for n, e in variables] or None,
                mutations=[mutation],
            ),
        ),
        admission.MutatingAdmissionPolicyBinding(
            metadata=metadata.managed(name),
            spec=admission_models.MutatingAdmissionPolicyBindingSpec(policyName=name),
        ),
    ]


def outside_the_system() -> meta.LabelSelector:
    """Return the selector of every namespace except the system's."""
    # The apiserver itself sets this label on every namespace and refuses another value.
    requirement = meta.LabelSelectorRequirement(
        key="kubernetes.io/metadata.name", operator="NotIn", values=sorted(names.SYSTEM_NAMESPACES)
    )
    return meta.LabelSelector(matchExpressions=[requirement])


def _match(targets: tuple[Target, ...]) -> admission_models.MatchResources:
    return admission_models.MatchResources(
        matchPolicy="Equivalent",
        namespaceSelector=outside_the_system(),
        resourceRules=[
            admission_models.NamedRuleWithOperations(
                apiGroups=[target.group],
                apiVersions=list(target.versions),
                resources=list(target.resources),
                operations=list(target.operations),
            )
            for target in targets
        ],
    )
