# SPDX-License-Identifier: Apache-2.0
"""How objects that Hypernetes made in a project are found again, and which of several is the one it made."""

from collections.abc import Collection
from collections.abc import Iterable
from typing import Any

from openstack import exceptions
from oslo_config import cfg

from hypernetes.model import ids
from hypernetes.openstack import session as sessions

SERVICE = "Neutron"


def owner_mark(kind: str, record_id: str) -> str:
    """The description by which we find what we made for a record."""
    return f"hypernetes:{kind}:{record_id}"


class ProjectScope:
    """Access to Neutron as a member of one project.

    ``ensure_`` methods of the subclasses find or create; ``delete_`` methods may be repeated.
    """

    def __init__(self, conf: cfg.ConfigOpts, opened: sessions.Sessions, project_id: ids.ProjectId) -> None:
        self._options = conf.openstack
        self._sessions = opened
        self._project_id = project_id

    @property
    def _proxy(self) -> Any:
        return self._sessions.project(self._project_id).network

    def _first_created(self, found: Iterable[Any]) -> Any:
        """The oldest of the found objects, so that a copy a tenant made later is never taken for ours."""
        return min(self._in_project(found), key=lambda item: (item.created_at or "", item.id), default=None)

    def _in_project(self, found: Iterable[Any]) -> list[Any]:
        return [item for item in found if getattr(item, "project_id", self._project_id) == self._project_id]

    def _delete_others(self, listed: Any, delete: Any, mark: str, kept: Collection[str | None]) -> None:
        # All pages first: what is deleted cannot be a page's marker.
        for item in self._in_project(listed(project_id=self._project_id, description=mark)):
            # Compared here too: a filter that Neutron did not know would have everything deleted.
            if item.description == mark and item.id not in kept:
                delete(item.id, ignore_missing=True)

    @staticmethod
    def _get(getter: Any, identifier: str) -> Any:
        try:
            return getter(identifier)
        except exceptions.NotFoundException:
            return None
