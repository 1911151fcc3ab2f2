# SPDX-License-Identifier: Apache-2.0
"""What discovery answers, in the form keystoneauth reads."""

from hypernetes.api.schemas import common

_VERSION = common.closed(
    {
        "id": {"type": "string"},
        "status": {"enum": ["CURRENT"]},
        "min_version": {"type": "string"},
        "max_version": {"type": "string"},
        "links": common.LINKS,
    }
)

VERSIONS = common.closed({"versions": {"type": "array", "items": _VERSION}})
VERSION = common.closed({"version": _VERSION})
