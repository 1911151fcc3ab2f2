# SPDX-License-Identifier: Apache-2.0
"""Requests on nodes and their responses."""

from hypernetes.api.schemas import common
from hypernetes.model import states

CREATE = common.closed({"name": common.DNS_LABEL})

UPDATE = common.closed(
    {"disabled": {"type": "boolean"}, "disabled_reason": common.nullable(common.text(255, "a reason"))},
    optional=("disabled_reason",),
)

_NODE = {
    "id": common.UUID,
    "name": common.DNS_LABEL,
    "status": {"enum": [status.value for status in states.NodeStatus]},
    "status_reason": common.nullable({"type": "string"}),
    "cluster_id": common.nullable(common.UUID),
    "address": common.nullable({"type": "string"}),
    "agent_version": common.nullable({"type": "string"}),
    "boot_id": common.nullable({"type": "string"}),
    "membership": common.nullable({"enum": [one.value for one in states.Membership]}),
    "membership_reason": common.nullable({"type": "string"}),
    "disabled": {"type": "boolean"},
    "disabled_reason": common.nullable({"type": "string"}),
    "last_seen_at": common.nullable(common.TIMESTAMP),
    "created_at": common.TIMESTAMP,
    "updated_at": common.nullable(common.TIMESTAMP),
}

NODE = common.closed(_NODE)

CREATED = common.closed(
    _NODE | {"enrollment_secret": {"type": "string"}, "enrollment_secret_expires_at": common.TIMESTAMP}
)

NODES = common.listing("nodes", NODE)

LIST_QUERY = common.list_query(name=common.NAME_FILTER, cluster_id=common.UUID)

ENROLL = common.closed(
    {
        "secret": {"type": "string", "maxLength": 128},
        "token_hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        # What may stand in a URL unescaped; short ones could be guessed.
        "amqp_password": {"type": "string", "pattern": "^[0-9A-Za-z_-]{32,128}$"},
    }
)

ENROLLED = common.closed(
    {
        "node": common.DNS_LABEL,
        "transport_url": {"type": "string"},
        "exchange": {"type": "string"},
        "topic": {"type": "string"},
    }
)
