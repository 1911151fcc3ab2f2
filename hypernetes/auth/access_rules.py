# SPDX-License-Identifier: Apache-2.0
"""Judges whether an application credential's access rules allow a login to a cluster, without I/O.

A login is, for access rules, the request ``POST /v1/clusters/<cluster id>/tokenreview`` to the service type
``kubernetes``. ``openstack kube config`` makes credentials with this one rule, so what an apiserver gets to see opens
that cluster and nothing else: not Keystone, not Neutron, not even the Hypernetes API.
"""

import re
from collections.abc import Mapping
from typing import Any

from hypernetes.model import ids
from hypernetes.model import names

LOGIN_METHOD = "POST"

_PATTERN_PART = re.compile(r"(?P<one>\{[^}]*\}|\*(?!\*))|(?P<many>\*\*)|(?P<literal>[^{}*])")


def allow_login(credential: Mapping[str, Any] | None, cluster_id: ids.ClusterId) -> bool:
    """Return whether a token obtained with ``credential`` (None: without one) may be used to log in.

    A credential without rules is not restricted; one with an empty list allows nothing.
    """
    if credential is None or credential.get("access_rules") is None:
        return True
    return any(_matches(rule, names.token_review_path(cluster_id)) for rule in credential["access_rules"])


def _matches(rule: Mapping[str, Any], path: str) -> bool:
    return (
        rule.get("service") == names.SERVICE_TYPE
        and rule.get("method") == LOGIN_METHOD
        and path_matches(path, str(rule.get("path", "")))
    )


def path_matches(path: str, pattern: str) -> bool:
    """Return whether a path matches a pattern of Keystone: ``{name}`` and ``*`` one segment, ``**`` any number.

    keystonemiddleware, whose reading this follows, takes other characters for a regular expression's; they are
    literal here.
    """
    expression = ""
    position = 0
    for part in _PATTERN_PART.finditer(pattern):
        if part.start() != position:
            return False  # an unbalanced brace
        position = part.end()
        if part["one"]:
            expression += "[^/]+"
        elif part["many"]:
            expression += ".*"
        else:
            expression += re.escape(part["literal"])
    return position == len(pattern) and re.fullmatch(expression, path) is not None
