# SPDX-License-Identifier: Apache-2.0
"""The API's table of routes as an OpenAPI document, from which fuzzers such as schemathesis make requests."""

import json
import re
from collections.abc import Mapping
from typing import Any

from hypernetes.api import routes
from hypernetes.api import routing
from hypernetes.api.schemas import common

# Formats that no fuzzer knows, as patterns from which it makes values that conform. Narrower than the formats, so that
# requests reach what is behind the schemas; answers are free to have any value of the format.
_PATTERNS = {
    "dns-label": r"^[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?$",
    "label-key": r"^(app\.kubernetes\.io/)?[a-z0-9]([-a-z0-9_.]{0,20}[a-z0-9])?$",
    "label-value": r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,20}[A-Za-z0-9])?)?$",
    "ipv4-cidr": r"^(10|172|192|240|0)\.[1-9][0-9]?\.[1-9][0-9]?\.0/(24|25|26)$",
}
_ERROR = common.closed(
    {
        "errors": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "required": ["request_id", "code", "status", "title", "detail"]},
        }
    }
)


def document() -> dict[str, Any]:
    """Return the document."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes.ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Hypernetes", "version": "1"},
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}},
        },
    }


def _operation(route: routing.Route) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": common.UUID}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    parameters += [
        {"name": name, "in": "query", "required": False, "schema": _fuzzable(schema)}
        for name, schema in route.query["properties"].items()
    ]
    answer: dict[str, Any] = {"description": "done"}
    if route.answer is not None:
        answer["content"] = {"application/json": {"schema": route.answer}}
    error = {"description": "refused", "content": {"application/json": {"schema": _ERROR}}}
    operation: dict[str, Any] = {
        "operationId": f"{route.method} {route.path}",
        "parameters": parameters,
        "responses": {str(route.status): answer, "4XX": error},
        "security": [] if route.policy is None else [{"token": []}],
    }
    if route.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _fuzzable(route.body)}},
        }
    return operation


def _fuzzable(schema: Mapping[str, Any]) -> Any:
    """Replace the service's own formats in the schema of a request."""
    text = json.dumps(schema)
    for name, pattern in _PATTERNS.items():
        text = text.replace(json.dumps({"format": name})[1:-1], json.dumps({"pattern": pattern})[1:-1])
    return json.loads(text)


if __name__ == "__main__":
    print(json.dumps(document(), indent=2))
