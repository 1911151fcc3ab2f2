# SPDX-License-Identifier: Apache-2.0
"""Moments as the API writes them: ISO 8601 in UTC."""

import datetime


def written(moment: datetime.datetime | None) -> str | None:
    """The moment as text, or None."""
    return None if moment is None else moment.astimezone(datetime.UTC).isoformat()
