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

_NOT_FOUND = "Could not find project: {}."
"""What Keystone answers about a project that it has not, in English."""

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

    def finds_itself(self) -> bool:
        """Return whether Keystone finds the project in which the service user has its own role.

        One that does not find it has lost more than the projects it is asked about.

        :raises errors.HypernetesError: when Keystone does not answer properly.
        """
        with failures.translated(_SERVICE):
            own = self._sessions.service().session.get_project_id()
            answer = self._sessions.domain_manager().get("/auth/projects", endpoint_filter=_KEYSTONE)
            return own is not None and own in {project["id"] for project in answer.json()["projects"]}

    def _is_gone(self, project_id: ids.ProjectId) -> bool:
        """Tell whether Keystone finds no such project when it is asked for the service user's roles there."""
        manager = self._sessions.domain_manager()
        path = f"/projects/{project_id}/users/{manager.get_user_id()}/roles"
        try:
            manager.get(path, endpoint_filter=_KEYSTONE, headers={"Accept-Language": "en"})
        except auth_exceptions.NotFound as error:
            if not _is_about(error, project_id):
                reason = "its 404 does not say that it is the project which was not found"
                raise errors.Unavailable(service=_SERVICE, reason=reason) from error
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


def _is_about(error: auth_exceptions.NotFound, project_id: ids.ProjectId) -> bool:
    """Tell whether Keystone has not found this project: a proxy may have answered, or the user may be missing."""
    try:
        answer = error.response.json()["error"] if error.response is not None else {}
        return bool(answer["code"] == 404 and answer["message"] == _NOT_FOUND.format(project_id))
    except (KeyError, TypeError, ValueError):
        return False
