# SPDX-License-Identifier: Apache-2.0
"""What the API said in an error: cause and remedy, of which openstacksdk's own text has only the status."""

from openstack import exceptions


def detail(error: exceptions.HttpException) -> str:
    """Return the API's own sentence; openstacksdk's text if the response has none."""
    try:
        first = error.response.json()["errors"][0]
        return str(first.get("detail") or first["title"])
    except (AttributeError, KeyError, IndexError, TypeError, ValueError):
        return str(error)
