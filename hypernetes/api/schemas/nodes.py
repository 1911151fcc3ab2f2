# SPDX-License-Identifier: Apache-2.0
"""What requests on nodes and their answers look like."""

from hypernetes.api.schemas import common
from hypernetes.model import states

CREATE = common.closed({"name": common.DNS_LABEL})

_NODE = {
    "id": common.UUID,
    "name": common.DNS_LABEL,
    "status": {"enum": [status.value for status in states.NodeStatus]},
    "status_reason": common.nullable({"type": "string"}),
    "cluster_id": common.nullable(common.UUID),
    "address": common.nullable({"type": "string"}),
    "agent_version": common.nullable({"type": "string"}),
    "boot_id": common.nullable({"type": "string"}),
    "last_seen_at": common.nullable(common.MOMENT),
    "created_at": common.MOMENT,
    "updated_at": common.nullable(common.MOMENT),
}

NODE = common.closed(_NODE)

CREATED = common.closed(
    _NODE | {"enrollment_secret": {"type": "string"}, "enrollment_secret_expires_at": common.MOMENT}
)

NODES = common.listing("nodes", NODE)

LIST_QUERY = common.list_query(name=common.DNS_LABEL)

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
