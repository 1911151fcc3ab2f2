# SPDX-License-Identifier: Apache-2.0
"""Rules for namespaces."""

from hypernetes.policies import base

LIST = "kubernetes:namespace:list"
GET = "kubernetes:namespace:get"
ALL_PROJECTS = "kubernetes:namespace:all_projects"
CREATE = "kubernetes:namespace:create"
UPDATE = "kubernetes:namespace:update"
DELETE = "kubernetes:namespace:delete"

RULES = [
    base.rule(LIST, base.PROJECT_READER_OR_ADMIN, "List the project's namespaces.", ("GET", "/v1/namespaces")),
    base.rule(GET, base.PROJECT_READER_OR_ADMIN, "Show a namespace.", ("GET", "/v1/namespaces/{id}")),
    base.rule(
        ALL_PROJECTS,
        base.ADMIN,
        "Access the namespaces of all projects; without it those of other projects are not found.",
        ("GET", "/v1/namespaces?all_projects=true"),
        ("GET", "/v1/namespaces/{id}"),
        ("PATCH", "/v1/namespaces/{id}"),
        ("DELETE", "/v1/namespaces/{id}"),
    ),
    base.rule(CREATE, base.PROJECT_MEMBER_OR_ADMIN, "Create a namespace.", ("POST", "/v1/namespaces")),
    base.rule(
        UPDATE,
        base.PROJECT_MEMBER_OR_ADMIN,
        "Change the description and the labels of a namespace.",
        ("PATCH", "/v1/namespaces/{id}"),
    ),
    base.rule(DELETE, base.PROJECT_MEMBER_OR_ADMIN, "Delete a namespace.", ("DELETE", "/v1/namespaces/{id}")),
]
