# SPDX-License-Identifier: Apache-2.0
"""Which fields of an object a command prints, and in which order."""

from collections.abc import Iterable
from typing import Any

CLUSTER = (
    "id", "name", "status", "status_reason", "phase", "kubernetes_version", "api_address", "service_subnet",
    "control_node_ids", "created_at", "updated_at",
)  # fmt: skip
NODE = (
    "id", "name", "status", "status_reason", "cluster_id", "address", "agent_version", "last_seen_at", "created_at",
    "updated_at",
)  # fmt: skip
ENROLLING_NODE = (*NODE, "enrollment_secret", "enrollment_secret_expires_at")
NAMESPACE = (
    "id", "name", "status", "status_reason", "project_id", "cluster_id", "network_id", "subnet_id", "subnet_cidr",
    "router_id", "security_group_id", "created_at", "updated_at",
)  # fmt: skip


def one(item: Any, fields: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """Columns and values of one object, as cliff wants them."""
    return fields, tuple(getattr(item, field) for field in fields)


def many(items: Iterable[Any], fields: tuple[str, ...]) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Columns and rows of a list, as cliff wants them."""
    return fields, [tuple(getattr(item, field) for field in fields) for item in items]
