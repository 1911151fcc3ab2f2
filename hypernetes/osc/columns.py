# SPDX-License-Identifier: Apache-2.0
"""Which fields of a resource a command prints, in which order and under which headers."""

from collections.abc import Iterable
from typing import Any

from osc_lib.cli import format_columns

CLUSTER = (
    "id", "name", "status", "status_reason", "health", "phase", "kubernetes_version", "api_address", "service_subnet",
    "control_node_ids", "certificates_expire_at", "ca_expires_at", "created_at", "updated_at",
)  # fmt: skip
CLUSTERS = ("id", "name", "status", "kubernetes_version", "api_address")
CLUSTERS_LONG = (*CLUSTERS, "status_reason", "phase", "service_subnet", "created_at")

NODE = (
    "id", "name", "status", "status_reason", "disabled", "disabled_reason", "cluster_id", "membership",
    "membership_reason", "address", "agent_version", "last_seen_at", "created_at", "updated_at",
)  # fmt: skip
CREATED_NODE = (*NODE, "enrollment_secret", "enrollment_secret_expires_at")
NODES = ("id", "name", "status", "disabled", "address", "cluster_id", "last_seen_at")
NODES_LONG = (*NODES, "membership", "status_reason", "disabled_reason", "agent_version", "created_at")
CLUSTER_NODES = ("id", "name", "role", "status", "membership", "disabled", "address")

NAMESPACE = (
    "id", "name", "status", "status_reason", "description", "labels", "project_id", "cluster_id", "network_id",
    "subnet_id", "subnet_cidr", "router_id", "security_group_id", "created_at", "updated_at",
)  # fmt: skip
NAMESPACES = ("id", "name", "status", "cluster_id", "network_id", "subnet_cidr")
NAMESPACES_LONG = (
    *NAMESPACES, "status_reason", "description", "labels", "router_id", "security_group_id", "created_at",
)  # fmt: skip

_ACRONYMS = {"api": "API", "ca": "CA", "cidr": "CIDR", "id": "ID"}

Row = tuple[Any, ...]


def show(resource: Any, fields: tuple[str, ...]) -> tuple[tuple[str, ...], Row]:
    """Return names and values of one resource, as cliff takes them."""
    return fields, _row(resource, fields)


def table(resources: Iterable[Any], fields: tuple[str, ...]) -> tuple[tuple[str, ...], list[Row]]:
    """Return headers and rows of a list, as cliff takes them."""
    return tuple(_header(field) for field in fields), [_row(resource, fields) for resource in resources]


def _header(field: str) -> str:
    return " ".join(_ACRONYMS.get(word, word.capitalize()) for word in field.split("_"))


def _row(resource: Any, fields: tuple[str, ...]) -> Row:
    return tuple(_formatted(getattr(resource, field)) for field in fields)


def _formatted(value: Any) -> Any:
    if isinstance(value, list):
        return format_columns.ListColumn(value)
    return format_columns.DictColumn(value) if isinstance(value, dict) else value
