# SPDX-License-Identifier: Apache-2.0
"""Rules for clusters."""

from hypernetes.policies import base

LIST = "kubernetes:cluster:list"
GET = "kubernetes:cluster:get"
GET_CONTROL_NODES = "kubernetes:cluster:get_control_nodes"
GET_HEALTH = "kubernetes:cluster:get_health"
CREATE = "kubernetes:cluster:create"
RETRY = "kubernetes:cluster:retry"
DELETE = "kubernetes:cluster:delete"
ADD_NODE = "kubernetes:cluster:add_node"
REMOVE_NODE = "kubernetes:cluster:remove_node"

RULES = [
    base.rule(LIST, base.PROJECT_READER_OR_ADMIN, "List the clusters.", ("GET", "/v1/clusters")),
    base.rule(GET, base.PROJECT_READER_OR_ADMIN, "Show a cluster.", ("GET", "/v1/clusters/{id}")),
    base.rule(
        GET_CONTROL_NODES,
        base.ADMIN,
        "See which nodes run a cluster's control plane, and the phase its bootstrap is in.",
        ("GET", "/v1/clusters"),
        ("GET", "/v1/clusters/{id}"),
    ),
    base.rule(
        GET_HEALTH,
        base.ADMIN,
        "See a cluster's health.",
        ("GET", "/v1/clusters/{id}/health"),
        ("GET", "/v1/clusters/{id}"),
    ),
    base.rule(CREATE, base.ADMIN, "Create a cluster.", ("POST", "/v1/clusters")),
    base.rule(RETRY, base.ADMIN, "Resume a failed bootstrap.", ("POST", "/v1/clusters/{id}/retry")),
    base.rule(DELETE, base.ADMIN, "Delete a cluster.", ("DELETE", "/v1/clusters/{id}")),
    base.rule(ADD_NODE, base.ADMIN, "Add a worker node to a cluster.", ("POST", "/v1/clusters/{id}/nodes")),
    base.rule(
        REMOVE_NODE, base.ADMIN, "Remove a worker node from a cluster.", ("DELETE", "/v1/clusters/{id}/nodes/{node_id}")
    ),
]
