# SPDX-License-Identifier: Apache-2.0
"""Changes one thing in Keystone: the service user's own membership in the projects that use Hypernetes."""

import enum
import threading
from typing import cast

from keystoneauth1 import exceptions as auth_exceptions
from keystoneauth1 import plugin
from oslo_config import cfg

from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.openstack import failures
from hypernetes.openstack import session as sessions

_SERVICE = "Keystone"

_KEYSTONE = {"service_type": "identity", "interface": plugin.AUTH_INTERFACE, "version": (3, 0)}
"""The Keystone at ``[openstack] auth_url``, not the catalog's."""


class ProjectState(enum.Enum):
    """What Keystone knows of a project."""

    ENABLED = enum.auto()
    DISABLED = enum.auto()
    """Keystone issues no tokens for it, but it may be enabled again."""
    GONE = enum.auto()


class Keystone:
    """Grants memberships as the manager of the tenants' domain. Safe for threads."""

    def __init__(self, conf: cfg.ConfigOpts, opened: sessions.Sessions) -> None:
        self._options = conf.openstack
        self._sessions = opened
        self._lock = threading.Lock()
        self._role_id: str | None = None

    def grant_member(self, project_id: ids.ProjectId) -> None:
        """Make the service user a member of the project. Idempotent.

        :raises failures.ProjectGone: when the project does not exist.
        :raises errors.Refused: when the project is not in the domain that the service user manages.
        """
        with failures.translated(_SERVICE):
            try:
                self._request("PUT", self._assignment(project_id))
            except auth_exceptions.NotFound:
                # It may be the role or the user that is missing.
                if self.project_state(project_id) is ProjectState.GONE:
                    raise failures.ProjectGone(project=project_id) from None
                raise
        self._sessions.forget_project(project_id)

    def project_state(self, project_id: ids.ProjectId) -> ProjectState:
        """Return whether the project exists and is enabled.

        :raises errors.Refused: when the project is not in the domain that the service user manages.
        :raises errors.Unavailable: when Keystone does not answer properly.
        """
        with failures.translated(_SERVICE):
            manager = self._sessions.domain_manager()
            try:
                answer = manager.get(f"/projects/{project_id}", endpoint_filter=_KEYSTONE)
            except (auth_exceptions.NotFound, auth_exceptions.Forbidden):
                # Keystone's policy compares the project's domain, which one that is gone has not: it answers 403.
                if self._is_gone(project_id):
                    return ProjectState.GONE
                raise
        return ProjectState.ENABLED if answer.json()["project"]["enabled"] else ProjectState.DISABLED

    def _is_gone(self, project_id: ids.ProjectId) -> bool:
        """Tell whether Keystone finds no such project when it is asked for the service user's roles there."""
        manager = self._sessions.domain_manager()
        try:
            path = f"/projects/{project_id}/users/{manager.get_user_id()}/roles"
            manager.get(path, endpoint_filter=_KEYSTONE)
        except auth_exceptions.NotFound as error:
            if not _is_of_keystone(error):
                raise errors.Unavailable(service=_SERVICE, reason="a 404 that is not Keystone's") from error
            return True
        return False

    def revoke_member(self, project_id: ids.ProjectId) -> None:
        """Revoke the membership. Idempotent; a deleted project counts as done.

        :raises errors.Refused: when the project is not in the domain that the service user manages.
        """
        with failures.translated(_SERVICE):
            self._request("DELETE", self._assignment(project_id), missing_ok=True)
        self._sessions.forget_project(project_id)

    def _assignment(self, project_id: ids.ProjectId) -> str:
        user_id = self._sessions.domain_manager().get_user_id()
        return f"/projects/{project_id}/users/{user_id}/roles/{self._member_role_id()}"

    def _member_role_id(self) -> str:
        with self._lock:
            if self._role_id is None:
                name = self._options.member_role
                answer = self._sessions.domain_manager().get("/roles", params={"name": name}, endpoint_filter=_KEYSTONE)
                found = [role["id"] for role in answer.json()["roles"] if role["domain_id"] is None]
                if not found:
                    raise errors.Refused(service=_SERVICE, reason=f"there is no role {name}")
                self._role_id = cast(str, found[0])
            return self._role_id

    def _request(self, method: str, path: str, *, missing_ok: bool = False) -> None:
        manager = self._sessions.domain_manager()
        try:
            manager.request(path, method, endpoint_filter=_KEYSTONE)
        except auth_exceptions.NotFound:
            if not missing_ok:
                raise


def _is_of_keystone(error: auth_exceptions.NotFound) -> bool:
    """Tell whether Keystone answered, and not a proxy before it that does not reach it: projects depend on this."""
    try:
        return error.response is not None and error.response.json()["error"]["code"] == 404
    except (KeyError, TypeError, ValueError):
        return False
