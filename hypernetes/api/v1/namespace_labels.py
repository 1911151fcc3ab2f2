# SPDX-License-Identifier: Apache-2.0
"""Which labels tenants may set on their namespaces: an allow-list of the operator's."""

import re
from collections.abc import Iterable
from collections.abc import Mapping

from hypernetes.model import errors
from hypernetes.model import labels

MOST = 32
"""Number of labels that a namespace may have."""


def merge(before: Mapping[str, str], changes: Mapping[str, str | None], allowed: Iterable[str]) -> Mapping[str, str]:
    """Return the labels with the changes; a change to None removes the label (RFC 7396).

    :param allowed: patterns of the keys that may be set, as in ``[api] namespace_labels``. Any key may be removed.
    :raises errors.BadRequest: when a key may not be set, or when there are too many labels.
    """
    patterns = tuple(allowed)
    for key, value in changes.items():
        if value is not None and not is_allowed(key, patterns):
            raise errors.BadRequest(
                reason=f"the label {key} is not allowed; keys that are allowed: {', '.join(patterns)}"
            )
    after = {key: value for key, value in {**before, **changes}.items() if value is not None}
    if len(after) > MOST:
        raise errors.BadRequest(reason=f"a namespace may have at most {MOST} labels")
    return after


def is_allowed(key: str, patterns: Iterable[str]) -> bool:
    """Return whether a key matches one of the patterns and is not reserved."""
    return not key.startswith(labels.RESERVED_PREFIXES) and any(_matches(key, pattern) for pattern in patterns)


def _matches(key: str, pattern: str) -> bool:
    return re.fullmatch("[^/]*".join(map(re.escape, pattern.split("*"))), key) is not None
