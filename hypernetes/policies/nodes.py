# SPDX-License-Identifier: Apache-2.0
"""Rules for nodes. ``POST /v1/nodes/{id}/enroll`` has no rule: the node's one-time secret authorizes it."""

from hypernetes.policies import base

LIST = "kubernetes:node:list"
GET = "kubernetes:node:get"
CREATE = "kubernetes:node:create"
UPDATE = "kubernetes:node:update"
DELETE = "kubernetes:node:delete"

RULES = [
    base.rule(LIST, base.ADMIN, "List the nodes.", ("GET", "/v1/nodes")),
    base.rule(GET, base.ADMIN, "Show a node.", ("GET", "/v1/nodes/{id}")),
    base.rule(CREATE, base.ADMIN, "Create a node's record and its one-time secret.", ("POST", "/v1/nodes")),
    base.rule(UPDATE, base.ADMIN, "Disable or enable a node.", ("PATCH", "/v1/nodes/{id}")),
    base.rule(DELETE, base.ADMIN, "Delete a node and revoke its credentials.", ("DELETE", "/v1/nodes/{id}")),
]
