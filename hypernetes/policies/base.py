# SPDX-License-Identifier: Apache-2.0
"""The personas of callers. Every rule is made of these, so that an operator need not read expressions.

The personas are those of OpenStack's consistent and secure RBAC: Keystone lets ``admin`` imply ``manager``,
``manager`` imply ``member`` and ``member`` imply ``reader``; a role in another project than the object's counts for
nothing, except for ``admin``, which is the operator. No rule needs ``manager``: what a manager may do beyond a member
is in the clusters, where the role is the ClusterRole ``hypernetes:admin``.
"""

from oslo_policy import policy

ADMIN = "rule:admin"

PROJECT_READER_OR_ADMIN = "rule:project_reader or rule:admin"
PROJECT_MEMBER_OR_ADMIN = "rule:project_member or rule:admin"

PROJECT_SCOPE = ["project"]
"""Tokens of any other scope (system, domain, none) are refused before the rule is checked."""

RULES = [
    policy.RuleDefault("admin", "role:admin", description="The operator: has the role admin in any project."),
    policy.RuleDefault(
        "project_member",
        "role:member and project_id:%(project_id)s",
        description="Uses the project: creates and deletes its objects.",
    ),
    policy.RuleDefault(
        "project_reader",
        "role:reader and project_id:%(project_id)s",
        description="Reads the objects of the project and changes nothing.",
    ),
]


def rule(name: str, check: str, description: str, *operations: tuple[str, str]) -> policy.DocumentedRuleDefault:
    """Define a rule for the operations, each given as (method, path)."""
    return policy.DocumentedRuleDefault(
        name=name,
        check_str=check,
        description=description,
        operations=[{"method": method, "path": path} for method, path in operations],
        scope_types=PROJECT_SCOPE,
    )
