# SPDX-License-Identifier: Apache-2.0
"""What the service's resources have in common: bodies without a wrapper, and identifiers that are safe in a URL."""

from typing import Any
from typing import Self
from urllib import parse

from openstack import exceptions
from openstack import resource

_NOT_ADDRESSABLE = frozenset({"", ".", ".."})
"""As a segment of a path these mean the collection, itself or its parent; no quoting changes that (RFC 3986, 6.2.2)."""


class QueryParameters(resource.QueryParameters):
    """Filters of a list; one that is a bool is sent as the API spells it."""

    def _transpose(self, query: dict[str, Any], resource_type: type[resource.Resource]) -> dict[str, Any]:
        sent = super()._transpose(query, resource_type)
        return {name: str(value).lower() if isinstance(value, bool) else value for name, value in sent.items()}


class Resource(resource.Resource):
    """A resource of the service. Lists are paged by links."""

    allow_create = True
    allow_fetch = True
    allow_list = True
    allow_delete = True

    name = resource.Body("name")
    status = resource.Body("status")
    """Upper case; the API reference lists the states."""
    status_reason = resource.Body("status_reason")
    """Why the resource has this status and what to do; None if nothing is wrong."""
    created_at = resource.Body("created_at")
    updated_at = resource.Body("updated_at")

    # openstacksdk declares overloads of it, to which a method that only passes arguments on cannot be held.
    @classmethod
    def find(  # type: ignore[override]
        cls, session: Any, name_or_id: str, ignore_missing: bool = True, **query: Any
    ) -> Self | None:
        """Return the one resource with this name or ID.

        :param query: further filters of the list, for instance ``all_projects=True``.
        :returns: None if nothing matches and ``ignore_missing`` is true.
        :raises openstack.exceptions.NotFoundException: when nothing matches and ``ignore_missing`` is false.
        :raises openstack.exceptions.DuplicateResource: when several match.
        """
        try:
            found: Self = super().find(session, name_or_id, ignore_missing=False, **query)
        except exceptions.NotFoundException:
            pass
        except exceptions.BadRequestException:
            # Nothing can have a name that breaks the rules for names. Another filter may be the caller's mistake.
            if query:
                raise
        else:
            return found
        if ignore_missing:
            return None
        raise _not_found(cls, name_or_id)

    def _prepare_request(self, **options: Any) -> Any:
        # openstacksdk joins the ID to the path as it is.
        request = super()._prepare_request(**options)
        requires_id = options.get("requires_id")
        if self.requires_id if requires_id is None else requires_id:
            path = f"{options.get('base_path') or self.base_path}/{quoted_id(self)}"
            request.url = path + (f"?{query}" if (query := parse.urlencode(options.get("params") or {})) else "")
        return request


def quoted_id(addressed: Resource) -> str:
    """Return the resource's ID as one segment of a path.

    :raises openstack.exceptions.NotFoundException: when no segment can stand for it.
    """
    identifier = str(addressed.id)
    if identifier in _NOT_ADDRESSABLE:
        raise _not_found(type(addressed), identifier)
    return quoted(identifier)


def quoted(identifier: str) -> str:
    """Return text as a segment of a path."""
    return parse.quote(identifier, safe="")


def _not_found(kind: type[Resource], name_or_id: str) -> exceptions.NotFoundException:
    return exceptions.NotFoundException(f"No {kind.__name__} found for {name_or_id}")
