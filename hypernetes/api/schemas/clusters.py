# SPDX-License-Identifier: Apache-2.0
"""Requests on clusters and their responses."""

from hypernetes.api.schemas import common
from hypernetes.model import states

_HEALTH = {"enum": [health.value for health in states.Health]}

CREATE = common.closed(
    {
        "name": common.DNS_LABEL,
        # One for now; several need a shared address for their apiservers.
        "control_nodes": {"type": "array", "items": common.ID_OR_NAME, "minItems": 1, "maxItems": 1},
        "kubernetes_version": {
            "type": "string",
            "pattern": r"^v\d+\.\d+\.\d+$",
            "maxLength": 32,
            "description": "a version such as v1.37.2",
        },
        "service_subnet": common.IPV4_CIDR,
    },
    optional=("kubernetes_version", "service_subnet"),
)

CLUSTER = common.closed(
    {
        "id": common.UUID,
        "name": common.DNS_LABEL,
        "status": {"enum": [status.value for status in states.ClusterStatus]},
        "status_reason": common.nullable({"type": "string"}),
        "kubernetes_version": {"type": "string"},
        "service_subnet": common.IPV4_CIDR,
        "api_address": common.nullable({"type": "string"}),
        "ca_certificate": common.nullable({"type": "string"}),
        "created_at": common.TIMESTAMP,
        "updated_at": common.nullable(common.TIMESTAMP),
        "control_node_ids": {"type": "array", "items": common.UUID},
        "phase": common.nullable({"type": "string"}),
        "certificates_expire_at": common.nullable(common.TIMESTAMP),
        "ca_expires_at": common.nullable(common.TIMESTAMP),
        "health": _HEALTH,
    },
    optional=("control_node_ids", "phase", "certificates_expire_at", "ca_expires_at", "health"),
)

HEALTH = common.closed(
    {
        "health": _HEALTH,
        "checks": {
            "type": "array",
            "items": common.closed({"name": {"type": "string"}, "health": _HEALTH, "detail": {"type": "string"}}),
        },
    }
)

CLUSTERS = common.listing("clusters", CLUSTER)

ADD_NODE = common.closed({"node": common.ID_OR_NAME})

LIST_QUERY = common.list_query(name=common.NAME_FILTER)
