# SPDX-License-Identifier: Apache-2.0
"""Timestamps as the API writes them: ISO 8601 in UTC."""

import datetime


def format(timestamp: datetime.datetime | None) -> str | None:  # noqa: A001 - read as timestamps.format
    """Return the timestamp as text, or None."""
    return None if timestamp is None else timestamp.astimezone(datetime.UTC).isoformat()
