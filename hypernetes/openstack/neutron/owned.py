# SPDX-License-Identifier: Apache-2.0
"""Finds the objects that Hypernetes created in a project, and tells them from copies."""

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from typing import Any
from typing import TypeVar

from openstack import exceptions
from openstack.network.v2 import _proxy
from oslo_config import cfg

from hypernetes.model import ids
from hypernetes.openstack import session as sessions

SERVICE = "Neutron"

T = TypeVar("T")


def owner_mark(options: cfg.ConfigOpts.GroupAttr, kind: str, record_id: str) -> str:
    """Return the description that marks what this deployment of Hypernetes created for a record."""
    return f"{options.deployment_name}:{kind}:{record_id}"


class ProjectScope:
    """Access to Neutron as a member of one project.

    ``ensure_`` methods of the subclasses find or create; ``delete_`` methods may be repeated.
    """

    def __init__(self, conf: cfg.ConfigOpts, opened: sessions.Sessions, project_id: ids.ProjectId) -> None:
        self._options = conf.openstack
        self._sessions = opened
        self._project_id = project_id

    @property
    def _proxy(self) -> _proxy.Proxy:
        return self._sessions.project(self._project_id).network

    def _mark(self, kind: str, record_id: str) -> str:
        return owner_mark(self._options, kind, record_id)

    def _first_created(self, found: Iterable[Any]) -> Any:
        """Return the oldest of the found objects: a copy that a tenant created later is never taken."""
        return min(self._in_project(found), key=lambda item: (item.created_at or "", item.id), default=None)

    def _in_project(self, found: Iterable[Any]) -> list[Any]:
        return [item for item in found if getattr(item, "project_id", self._project_id) == self._project_id]

    def _delete_others(
        self,
        listed: Callable[..., Iterable[Any]],
        delete: Callable[..., None],
        mark: str,
        kept: Collection[str | None],
    ) -> None:
        # All pages first: what is deleted cannot be a page's marker.
        for item in self._in_project(listed(project_id=self._project_id, description=mark)):
            # Compared here too: if Neutron ignored the filter, everything would be deleted.
            if item.description == mark and item.id not in kept:
                delete(item.id, ignore_missing=True)

    @staticmethod
    def _get(getter: Callable[[str], T], identifier: str) -> T | None:
        try:
            return getter(identifier)
        except exceptions.NotFoundException:
            return None
