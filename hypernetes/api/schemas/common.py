# SPDX-License-Identifier: Apache-2.0
"""Pieces that several schemas share."""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

UUID: Schema = {"type": "string", "format": "uuid"}
DNS_LABEL: Schema = {"type": "string", "format": "dns-label"}
ID_OR_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 63}
MOMENT: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00$"}
IPV4_CIDR: Schema = {"type": "string", "format": "ipv4-cidr", "maxLength": 18}

LINKS: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"rel": {"type": "string"}, "href": {"type": "string"}},
        "required": ["rel", "href"],
        "additionalProperties": False,
    },
}


def nullable(schema: Schema) -> Schema:
    """What the schema describes, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def closed(properties: Mapping[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    """An object with these properties, all but the optional ones required, and no others."""
    required = sorted(properties.keys() - set(optional))
    return {"type": "object", "properties": dict(properties), "required": required, "additionalProperties": False}


def listing(collection: str, item: Schema) -> Schema:
    """One page of a collection."""
    return closed({collection: {"type": "array", "items": item}, "links": LINKS})


def list_query(**filters: Schema) -> Schema:
    """The query of a list: its page and what filters it."""
    limit = {"type": "string", "pattern": "^[1-9][0-9]{0,5}$"}
    properties = {"limit": limit, "marker": UUID, **filters}
    return closed(properties, optional=tuple(properties))
