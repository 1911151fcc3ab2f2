# SPDX-License-Identifier: Apache-2.0
"""Pieces that several schemas share."""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

UUID: Schema = {"type": "string", "format": "uuid"}
DNS_LABEL: Schema = {"type": "string", "format": "dns-label"}
NAME_FILTER: Schema = {"type": "string", "maxLength": 255, "pattern": r"^[^\x00]*$", "description": "text without NUL"}
"""A name to look for. One that no object can have is not an error: it finds nothing."""
ID_OR_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 63}
TIMESTAMP: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00$"}
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


def text(longest: int, noun: str) -> Schema:
    """Describe text that users wrote: not empty, and without control characters.

    :param noun: what it is, for the message about one that is neither.
    """
    # Not a pattern from ^ to $: a dollar sign would also match before a line break at the end.
    return {
        "type": "string",
        "minLength": 1,
        "maxLength": longest,
        "not": {"pattern": r"[\x00-\x1f\x7f-\x9f\u2028\u2029]"},
        "description": f"{noun} must not have line breaks or other control characters",
    }


def nullable(schema: Schema) -> Schema:
    """Allow null besides what the schema describes."""
    return {"anyOf": [schema, {"type": "null"}]}


def closed(properties: Mapping[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    """Describe an object with these properties and no others; all but the optional ones are required."""
    required = sorted(properties.keys() - set(optional))
    return {"type": "object", "properties": dict(properties), "required": required, "additionalProperties": False}


def listing(collection: str, item: Schema) -> Schema:
    """Describe one page of a collection."""
    return closed({collection: {"type": "array", "items": item}, "links": LINKS})


FORCE_QUERY = closed({"force": {"enum": ["true", "false"], "description": "true or false"}}, optional=("force",))
"""The query of requests that can give up what does not answer any more."""


def list_query(**filters: Schema) -> Schema:
    """Describe the query of a list: its page and its filters."""
    limit = {"type": "string", "pattern": "^[1-9][0-9]{0,5}$", "description": "a number from 1 to 999999"}
    properties = {"limit": limit, "marker": UUID, **filters}
    return closed(properties, optional=tuple(properties))
