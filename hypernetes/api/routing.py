# SPDX-License-Identifier: Apache-2.0
"""From a request to a handler: the table of routes, the look-up, and the checks in between.

The order of the checks is: path (404), method (405), ``Accept`` (406), ``Content-Type`` (415), query (400),
policy (403), body (400). Policy comes before the body, so that a caller does not learn of fields that it may not set.
"""

import json
import re
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any
from wsgiref.types import WSGIApplication

import pecan
import webob
import webob.exc

from hypernetes.api import context
from hypernetes.api import middleware
from hypernetes.api import services
from hypernetes.api import validation
from hypernetes.model import errors

Schema = Mapping[str, Any]

_JSON = "application/json"
_FORMS = frozenset({"multipart/form-data", "application/x-www-form-urlencoded"})
_NO_QUERY: Schema = {"type": "object", "properties": {}, "additionalProperties": False}


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was checked, as a handler gets it."""

    services: services.Services
    url: str
    """URL of the request without its query."""
    path: Mapping[str, str]
    """The values of the path's variables."""
    query: Mapping[str, str]
    body: Mapping[str, Any]
    caller: context.RequestContext | None = None
    """None on public paths."""

    @property
    def context(self) -> context.RequestContext:
        """The caller's context; only on paths that need a token."""
        if self.caller is None:
            raise RuntimeError("a public path has no context")
        return self.caller


Handler = Callable[[Call], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Route:
    """A line of the table. With ``policy`` None it is public: no token is needed."""

    method: str
    path: str
    """With variables in braces; each stands for one segment."""
    handler: Handler
    policy: str | None
    answer: Schema | None = None
    """JSON Schema of the answer; None for an empty one."""
    body: Schema | None = None
    """JSON Schema of the body; None if there is none."""
    query: Schema = field(default_factory=lambda: _NO_QUERY)
    status: int = 200


class Table:
    """Finds routes by path."""

    def __init__(self, routes: Sequence[Route]) -> None:
        # No identifier is a dot segment (RFC 3986, 3.3), which would make a route of what the client has escaped.
        segment = r"(?P<\1>(?!\\.{1,2}(?:/|$))[^/\\0]+)"
        self._routes = tuple((re.compile(re.sub(r"{(\w+)}", segment, route.path)), route) for route in routes)

    def match(self, path: str) -> tuple[dict[str, Route], Mapping[str, str]]:
        """Return the routes of a path by method, and the values of its variables. A trailing slash is ignored."""
        path = path.rstrip("/") or "/"
        found: dict[str, Route] = {}
        variables: Mapping[str, str] = {}
        for pattern, route in self._routes:
            if match := pattern.fullmatch(path):
                found[route.method] = route
                variables = match.groupdict()
        return found, variables

    def is_public(self, request: webob.Request) -> bool:
        """Return whether the request's path needs no token."""
        routes, _ = self.match(request.path_info)
        return any(route.policy is None for route in routes.values())


class Dispatcher:
    """Pecan's root controller: one method for the whole table."""

    def __init__(self, table: Table, offered: services.Services) -> None:
        self._table = table
        self._services = offered

    # Pecan calls this before it parses parameters, which it would do without the checks below.
    @pecan.expose()  # type: ignore[untyped-decorator]
    def _route(self, _segments: list[str], request: webob.Request) -> tuple[Any, list[str]]:
        routes, variables = self._table.match(request.path_info)
        if not routes:
            raise webob.exc.HTTPNotFound
        method = "GET" if request.method == "HEAD" else request.method
        if method not in routes:
            raise webob.exc.HTTPMethodNotAllowed(headers={"Allow": ", ".join(sorted(routes))})
        route = routes[method]
        if not request.accept.acceptable_offers([_JSON]):
            raise webob.exc.HTTPNotAcceptable
        if route.body is not None and request.content_type != _JSON:
            raise webob.exc.HTTPUnsupportedMediaType
        query = _query(request, route)
        caller: context.RequestContext | None = None
        if route.policy is not None:
            caller = request.environ["hypernetes.context"]
            caller.require(route.policy)
        body = _body(request, route)
        call = Call(self._services, request.path_url.rstrip("/"), variables, query, body, caller)
        request.environ["hypernetes.call"] = (route, call)
        # Pecan would guess from these what the method expects.
        request.environ["QUERY_STRING"] = ""
        request.environ["HTTP_ACCEPT"] = _JSON
        return self.dispatch, []

    @pecan.expose("json")  # type: ignore[untyped-decorator]
    def dispatch(self, request: webob.Request, _response: webob.Response, **_parameters: Any) -> webob.Response:
        """Call the handler, and return its result as the response."""
        route, call = request.environ["hypernetes.call"]
        content = route.handler(call)
        answer = webob.Response(status=route.status, content_type=_JSON, charset="UTF-8")
        # Responses have secrets and current states; no cache may keep them.
        answer.cache_control = "no-store"
        if route.answer is None:
            answer.content_type = None
        else:
            if call.services.conf.api.validate_responses:
                validation.require_conforming(route.answer, content)
            answer.json_body = content
            if route.method == "POST" and "id" in content and "id" not in call.path:
                answer.location = f"{call.url}/{content['id']}"
        return answer


def refuse_forms(application: WSGIApplication) -> WSGIApplication:
    """Wrap Pecan, which parses forms before it looks for a route, and fails with malformed ones; this API has none."""

    def respond(request: webob.Request) -> webob.Response:
        if request.method not in ("GET", "HEAD") and request.content_type in _FORMS:
            raise webob.exc.HTTPUnsupportedMediaType
        return request.get_response(application)

    return middleware.wsgi_application(respond)


def _query(request: webob.Request, route: Route) -> Mapping[str, str]:
    values = request.GET.mixed()
    for name, value in values.items():
        if not isinstance(value, str):
            raise errors.BadRequest(reason=f"the query parameter {name[:64]} is given more than once")
    validation.require(route.query, values, "the query")
    return dict(values)


def _body(request: webob.Request, route: Route) -> Mapping[str, Any]:
    raw = request.body
    if route.body is None:
        if raw.strip() not in (b"", b"{}"):
            raise errors.BadRequest(reason="this request has no body")
        return {}
    try:
        content = json.loads(raw, parse_constant=_refuse_constant)
        # JSON may hold half a surrogate pair (RFC 8259, section 8.2), which neither UTF-8 nor the database can.
        json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise errors.BadRequest(reason="the body is not valid JSON of Unicode text") from error
    validation.require(route.body, content, "the body")
    return dict(content)


def _refuse_constant(name: str) -> None:
    # Python reads NaN and Infinity, which are not JSON.
    raise ValueError(name)
