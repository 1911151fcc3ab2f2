# SPDX-License-Identifier: Apache-2.0
"""Maps a validated Keystone token to a Kubernetes user, without I/O.

Kubernetes decides by IDs that Keystone generated. Names, which users choose, appear in ``extra`` only, so a Keystone
user called ``system:kube-controller-manager`` has no special rights.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypernetes.auth import access_rules
from hypernetes.model import ids
from hypernetes.model import labels
from hypernetes.model import names


class TokenRefused(Exception):
    """The token is valid in Keystone but not at the cluster; the text says why and contains no secret."""


@dataclass(frozen=True, slots=True)
class User:
    """The Kubernetes user that a token stands for."""

    name: str
    uid: str
    groups: tuple[str, ...]
    extra: Mapping[str, tuple[str, ...]]
    expires_at: datetime.datetime


def user_of(token: Mapping[str, Any], cluster_id: ids.ClusterId) -> User:
    """Return the Kubernetes user for the ``token`` object of Keystone's response, at one cluster.

    :raises TokenRefused: when the token is not scoped to a project, has no known role, or has access rules that do not
        allow a login to this cluster.
    :raises KeyError, TypeError, ValueError: when Keystone's response does not conform to its API.
    """
    if "system" in token:
        raise TokenRefused("the token is scoped to the system; use one that is scoped to a project")
    if "domain" in token:
        raise TokenRefused("the token is scoped to a domain; use one that is scoped to a project")
    project = token.get("project")
    if not project:
        raise TokenRefused("the token is not scoped; use one that is scoped to a project")
    # Keystone lets a project act as a domain; it is a container of projects and holds no tenant.
    if token.get("is_domain"):
        raise TokenRefused("the token is scoped to a project that acts as a domain")
    if not access_rules.allow_login(token.get("application_credential"), cluster_id):
        raise TokenRefused("the application credential's access rules do not allow a login to this cluster")
    role_names = {str(role["name"]).lower() for role in token.get("roles", [])}
    user_id = ids.UserId(_identifier(token["user"]["id"]))
    project_id = ids.ProjectId(_identifier(project["id"]))
    return User(
        name=names.user_of(user_id),
        uid=user_id,
        groups=(*groups_of(project_id, role_names), names.member_group_of(project_id, user_id)),
        extra=_extra(token),
        expires_at=datetime.datetime.fromisoformat(token["expires_at"]),
    )


def groups_of(project_id: ids.ProjectId, role_names: set[str]) -> tuple[str, ...]:
    """Return the groups of the strongest known role and of each weaker role that it implies, and the operator's.

    :raises TokenRefused: when no role is known.
    """
    held = [position for position, role in enumerate(names.KEYSTONE_ROLES) if role in role_names]
    if not held:
        raise TokenRefused(f"none of the roles {', '.join(names.KEYSTONE_ROLES)} is held in the project")
    strongest = max(held)
    of_project = tuple(names.group_of(project_id, role) for role in names.KEYSTONE_ROLES[: strongest + 1])
    return (*of_project, names.OPERATOR_GROUP) if names.KEYSTONE_ROLES[strongest] == "admin" else of_project


def _extra(token: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return facts for logs and audits; no decision depends on them."""
    user, project = token["user"], token["project"]
    facts = {
        "user-name": user.get("name"),
        "user-domain-id": (user.get("domain") or {}).get("id"),
        "project-id": project["id"],
        "project-name": project.get("name"),
        "application-credential-id": (token.get("application_credential") or {}).get("id"),
    }
    return {f"{labels.PREFIX}{key}": (str(value),) for key, value in facts.items() if value}


def _identifier(value: object) -> str:
    """Return an ID in the form Keystone generates; federated and LDAP users have up to 64 hex digits."""
    if not isinstance(value, str) or not value or len(value) > 64 or not value.isascii() or not value.isprintable():
        raise ValueError("Keystone's response contains an ID of an unknown form")
    return value
