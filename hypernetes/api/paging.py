# SPDX-License-Identifier: Apache-2.0
"""Pages: ``limit`` records after ``marker``, and a link to the next page while there is one."""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from urllib import parse

from hypernetes.api import routing


def page(
    call: routing.Call,
    collection: str,
    find: Callable[..., tuple[Any, ...]],
    view: Callable[[Any], Mapping[str, Any]],
    **filters: Any,
) -> Mapping[str, Any]:
    """Return one page of a collection.

    :param find: a repository's ``list``.
    :param view: how one record is shown.
    """
    most = call.services.conf.api.max_limit
    limit = min(int(call.query.get("limit", most)), most)
    # One more than requested shows whether there is a next page.
    found = find(marker=call.query.get("marker"), limit=limit + 1, **filters)
    links = []
    if len(found) > limit:
        query = dict(call.query) | {"limit": str(limit), "marker": found[limit - 1].id}
        links.append({"rel": "next", "href": f"{call.url}?{parse.urlencode(query)}"})
    return {collection: [view(record) for record in found[:limit]], "links": links}
