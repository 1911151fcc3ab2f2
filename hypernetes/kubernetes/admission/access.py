# SPDX-License-Identifier: Apache-2.0
"""The rules about who gets access: role bindings, and tokens of service accounts.

The promise they keep: a user who loses a role in a Keystone project loses access to its namespaces with it. What a
binding grants must therefore follow from the project, or from a workload in one of its namespaces:

* A *user* has the same Kubernetes name with a token of any project. A binding to ``keystone:<id>`` would outlive the
  user's role, because a token of an unrelated project would do. So bindings name groups; to bind one user, there is
  the group of that user *in this project*, which only tokens of the project carry.
* A *service account* is named by its namespace, and a name does not say whose it is. One of the same namespace is
  fine. For one of another namespace the requester must be able to change service accounts there: rights in two
  namespaces are only held within one project. The conductor removes such subjects when their namespace is deleted,
  since another tenant may use its name afterwards.
* A *token* that a service account requests is another credential that nobody sees. kubelet requests those of pods, as
  a node.
"""

from lightkube.core import resource

from hypernetes.kubernetes.admission import policy
from hypernetes.model import labels
from hypernetes.model import names

_RBAC = "rbac.authorization.k8s.io"

_FOREIGN = (
    "foreign",
    # Nothing is checked of what is deleted.
    'request.operation == "DELETE" ? [] : object.?subjects.orValue([])'
    '.filter(s, s.kind == "ServiceAccount" && s.?namespace.orValue("") != request.namespace)',
)
"""The service accounts of other namespaces among a binding's subjects."""

_PROJECT_GROUP = f'"{names.GROUP_PREFIX}" + namespaceObject.metadata.labels["{labels.PROJECT}"] + ":"'

ROLE_BINDINGS = (
    policy.Rule(
        "managed-role-bindings",
        # Not request.name: there is none when a collection is deleted or a name is generated.
        '!(request.operation == "DELETE" ? oldObject : object).metadata.name'
        f'.startsWith("{labels.ROLE_BINDING_PREFIX}")',
        f"role bindings whose names begin with {labels.ROLE_BINDING_PREFIX} follow the project's roles in Keystone; "
        "assign roles there, or make a binding of another name.",
    ),
    policy.Rule(
        "role-binding-users",
        'request.operation == "DELETE" || object.?subjects.orValue([]).all(s, s.kind != "User")',
        "a user's name is the same in all projects, so this access would outlast the user's role in the project. "
        f"Bind the group {names.GROUP_PREFIX}<project id>:user:<user id>, or that of a role, instead.",
    ),
    policy.Rule(
        "role-binding-groups",
        'request.operation == "DELETE" || object.?subjects.orValue([]).all(s, s.kind != "Group" || '
        f's.name.startsWith({_PROJECT_GROUP}) || s.name == "system:serviceaccounts:" + request.namespace)',
        f"only groups of the namespace's own project ({names.GROUP_PREFIX}<project id>:…) and "
        "system:serviceaccounts:<this namespace> can be bound.",
    ),
    policy.Rule(
        "role-binding-accounts",
        # The authorizer is asked once: CEL allows two such questions in a rule.
        "variables.foreign.size() == 0 || ("
        "variables.foreign.all(s, s.namespace == variables.foreign[0].namespace) && "
        'authorizer.group("").resource("serviceaccounts").namespace(variables.foreign[0].namespace)'
        '.check("update").allowed())',
        "service accounts must be of this namespace, or of one other namespace in which you may change service "
        "accounts; for those of several other namespaces make several bindings.",
    ),
)

TOKENS = (
    policy.Rule(
        "service-account-tokens",
        f'!request.userInfo.?groups.orValue([]).exists(g, g == "{names.SERVICE_ACCOUNTS_GROUP}")',
        "service accounts may not request tokens: use the one that is mounted into the pod, or a projected volume.",
    ),
)


def policies() -> list[resource.Resource]:
    """Return the policies about access."""
    exempt = (policy.exempting_the_cluster_itself(),)
    return [
        *policy.validating(
            "hypernetes-role-bindings",
            (policy.Target(_RBAC, ("rolebindings",), ("CREATE", "UPDATE", "DELETE")),),
            ROLE_BINDINGS,
            variables=(_FOREIGN,),
            conditions=exempt,
        ),
        *policy.validating(
            "hypernetes-service-account-tokens",
            (policy.Target("", ("serviceaccounts/token",), ("CREATE",)),),
            TOKENS,
            conditions=exempt,
        ),
    ]
