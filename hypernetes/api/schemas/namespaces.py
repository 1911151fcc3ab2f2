# SPDX-License-Identifier: Apache-2.0
"""Requests on namespaces and their responses."""

from hypernetes.api.schemas import common
from hypernetes.model import states

_LABEL_CHANGES = {
    "type": "object",
    "propertyNames": {"type": "string", "format": "label-key"},
    "maxProperties": 64,
}
_LABEL = {"type": "string", "format": "label-value"}

UPDATE = common.closed(
    {
        "description": common.nullable(common.text(255, "a description")),
        # As in a merge patch (RFC 7396), null removes a label.
        "labels": _LABEL_CHANGES | {"additionalProperties": common.nullable(_LABEL)},
    },
    optional=("description", "labels"),
) | {"minProperties": 1}

CREATE = common.closed(
    {
        "name": common.DNS_LABEL,
        "cluster": common.ID_OR_NAME,
        "network_id": common.UUID,
        "subnet_cidr": common.IPV4_CIDR,
        "description": common.nullable(common.text(255, "a description")),
        "labels": _LABEL_CHANGES | {"additionalProperties": _LABEL},
    },
    optional=("network_id", "subnet_cidr", "description", "labels"),
) | {"not": {"required": ["network_id", "subnet_cidr"]}, "description": "network_id and subnet_cidr exclude each other"}

NAMESPACE = common.closed(
    {
        "id": common.UUID,
        "name": common.DNS_LABEL,
        "project_id": {"type": "string"},
        "cluster_id": common.UUID,
        "status": {"enum": [status.value for status in states.NamespaceStatus]},
        "status_reason": common.nullable({"type": "string"}),
        "description": common.nullable({"type": "string"}),
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "network_id": common.nullable(common.UUID),
        "subnet_id": common.nullable(common.UUID),
        "subnet_cidr": common.nullable({"type": "string"}),
        "router_id": common.nullable(common.UUID),
        "security_group_id": common.nullable(common.UUID),
        "created_at": common.TIMESTAMP,
        "updated_at": common.nullable(common.TIMESTAMP),
    }
)

NAMESPACES = common.listing("namespaces", NAMESPACE)

LIST_QUERY = common.list_query(
    name=common.NAME_FILTER, cluster_id=common.UUID, all_projects={"enum": ["true", "false"]}
)
