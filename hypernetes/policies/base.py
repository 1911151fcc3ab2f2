# SPDX-License-Identifier: Apache-2.0
"""Who a caller can be. Every rule of ours is one of these, so that an operator need not read expressions.

The personas are those of OpenStack's consistent and secure RBAC: Keystone lets ``admin`` imply ``manager``,
``manager`` imply ``member`` and ``member`` imply ``reader``; a role in another project than the object's counts for
nothing, except for ``admin``, which is the operator.
"""

from oslo_policy import policy

PROJECT_READER = "rule:project_reader"
PROJECT_MEMBER = "rule:project_member"
PROJECT_MANAGER = "rule:project_manager"
ADMIN = "rule:admin"

PROJECT_READER_OR_ADMIN = "rule:project_reader or rule:admin"
PROJECT_MEMBER_OR_ADMIN = "rule:project_member or rule:admin"

PROJECT_SCOPE = ["project"]
"""Tokens of any other scope (system, domain, none) are refused before the rule is looked at."""

RULES = [
    policy.RuleDefault("admin", "role:admin", description="The operator: holds admin in any project."),
    policy.RuleDefault(
        "project_manager",
        "role:manager and project_id:%(project_id)s",
        description="Runs the project: what members do, and what concerns the project as a whole.",
    ),
    policy.RuleDefault(
        "project_member",
        "role:member and project_id:%(project_id)s",
        description="Uses the project: may create and delete.",
    ),
    policy.RuleDefault(
        "project_reader",
        "role:reader and project_id:%(project_id)s",
        description="Looks at what is in the project and changes nothing.",
    ),
]


def rule(name: str, check: str, description: str, *operations: tuple[str, str]) -> policy.DocumentedRuleDefault:
    """A rule for the operations given as (method, path)."""
    return policy.DocumentedRuleDefault(
        name=name,
        check_str=check,
        description=description,
        operations=[{"method": method, "path": path} for method, path in operations],
        scope_types=PROJECT_SCOPE,
    )
