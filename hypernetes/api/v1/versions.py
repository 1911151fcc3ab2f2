# SPDX-License-Identifier: Apache-2.0
"""Discovery: the versions of this endpoint."""

from collections.abc import Mapping
from typing import Any
from urllib import parse

from hypernetes.api import microversion
from hypernetes.api import routing


def index(call: routing.Call) -> Mapping[str, Any]:
    """List the major versions; there is one."""
    return {"versions": [_version(call)]}


def show(call: routing.Call) -> Mapping[str, Any]:
    """Return the major version 1."""
    return {"version": _version(call)}


def _version(call: routing.Call) -> Mapping[str, Any]:
    return {
        "id": "v1",
        "status": "CURRENT",
        "min_version": str(microversion.MINIMUM),
        "max_version": str(microversion.MAXIMUM),
        "links": [{"rel": "self", "href": parse.urljoin(call.url, "/v1/")}],
    }
