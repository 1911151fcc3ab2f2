# SPDX-License-Identifier: Apache-2.0
"""The one thing we change in Keystone: the service user's own membership in projects that use us."""

import threading
from typing import cast

from keystoneauth1 import exceptions as auth_exceptions
from oslo_config import cfg

from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.openstack import failures
from hypernetes.openstack import session as sessions

_SERVICE = "Keystone"


class Keystone:
    """Grants by a manager of the tenants' domain. Safe for threads."""

    def __init__(self, conf: cfg.ConfigOpts, opened: sessions.Sessions) -> None:
        self._options = conf.openstack
        self._sessions = opened
        self._lock = threading.Lock()
        self._role_id: str | None = None

    def grant_member(self, project_id: ids.ProjectId) -> None:
        """Make the service user a member of the project; doing it again changes nothing.

        :raises errors.Refused: the project is not in the domain the service user manages, or is gone.
        """
        with failures.translated(_SERVICE):
            manager = self._sessions.domain_manager()
            self._request("PUT", self._assignment(project_id, manager.get_user_id()))
        self._sessions.forget_project(project_id)

    def revoke_member(self, project_id: ids.ProjectId) -> None:
        """Give the membership up again; a project or an assignment that is gone is fine.

        :raises errors.Refused: the project is not in the domain the service user manages.
        """
        with failures.translated(_SERVICE):
            manager = self._sessions.domain_manager()
            self._request("DELETE", self._assignment(project_id, manager.get_user_id()), missing_ok=True)
        self._sessions.forget_project(project_id)

    def _assignment(self, project_id: ids.ProjectId, user_id: str) -> str:
        return f"/projects/{project_id}/users/{user_id}/roles/{self._member_role_id()}"

    def _member_role_id(self) -> str:
        with self._lock:
            if self._role_id is None:
                name = self._options.member_role
                answer = self._sessions.domain_manager().get(
                    "/roles",
                    params={"name": name},
                    endpoint_filter={"service_type": "identity", "version": (3, 0)},
                    endpoint_override=self._options.auth_url,
                )
                found = [role["id"] for role in answer.json()["roles"] if role["domain_id"] is None]
                if not found:
                    raise errors.Refused(service=_SERVICE, reason=f"there is no role {name}")
                self._role_id = cast(str, found[0])
            return self._role_id

    def _request(self, method: str, path: str, *, missing_ok: bool = False) -> None:
        manager = self._sessions.domain_manager()
        try:
            manager.request(path, method, endpoint_override=self._options.auth_url)
        except auth_exceptions.NotFound:
            if not missing_ok:
                raise
