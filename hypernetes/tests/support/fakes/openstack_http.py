# SPDX-License-Identifier: Apache-2.0
"""A Keystone and a Neutron that are one small HTTP server: they keep what is made, and every request.

Neutron answers as its API reference says: lists are filtered by their query and come in pages, what is gone is a 404.
A test scripts any other answer with :meth:`Services.answers`, or has an answer lost with :meth:`Services.loses`.
"""

import copy
import http.server
import json
import re
import threading
import urllib.parse
from dataclasses import dataclass
from typing import Any

import fixtures
from keystoneauth1 import loading
from oslo_config import cfg

from hypernetes.conf import openstack

USER_ID = "5e7f1ce0000000000000000000000001"
SERVICE_PROJECT_ID = "ae000000000000000000000000000001"
MEMBER_ROLE_ID = "9fe2ff9ee4384b1894a90878d3e92bab"

_REGIONS = ("RegionOne", "RegionTwo")
_SINGULAR = {
    "extensions": "extension",
    "networks": "network",
    "subnets": "subnet",
    "subnetpools": "subnetpool",
    "routers": "router",
    "ports": "port",
    "security-groups": "security_group",
    "security-group-rules": "security_group_rule",
}
_NEUTRON = re.compile(r"/neutron/(?P<place>\w+/\w+)/v2.0/(?P<collection>[-a-z]+)(/(?P<id>[^/]+))?(/(?P<action>\w+))?")


@dataclass(frozen=True, slots=True)
class Request:
    """A request. ``path`` has no prefix: ``/networks/<id>`` of Neutron, ``/projects/…`` of Keystone."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    token: str | None
    """``<scope>#<number>``: what it is scoped to, and how many tokens were given before."""
    place: str
    """Neutron's region and interface, or ``keystone``."""
    request_id: str | None = None
    """The request for which it was asked, by its header."""

    @property
    def scope(self) -> str | None:
        """What the token was asked for: ``project:<id>``, ``project-name:<name>`` or ``domain:<id>``."""
        return self.token.partition("#")[0] if self.token else None


def configuration(services: "Services", **overrides: Any) -> cfg.ConfigOpts:
    """A configuration of its own that uses the services; connections are not attempted again unless asked for."""
    conf = cfg.ConfigOpts()
    # Not by hypernetes.conf.opts: a group registered twice shares its overrides between configurations.
    conf.register_opts(openstack.OPTIONS, group=cfg.OptGroup("openstack"))
    conf([], project="hypernetes", default_config_files=[], default_config_dirs=[])
    set_credentials(conf, services.auth_url)
    settings = {"region_name": "RegionOne", "valid_interfaces": ["internal"], "connect_retries": 0}
    for name, value in (settings | overrides).items():
        conf.set_override(name, value, group="openstack")
    return conf


def set_credentials(conf: cfg.ConfigOpts, auth_url: str) -> None:
    """Configure the conductor's service user."""
    # Unlike password, this plugin discovers nothing: tests count the requests.
    conf.register_opts(loading.get_auth_plugin_conf_options("v3password"), group="openstack")
    settings = {
        "auth_type": "v3password",
        "auth_url": auth_url,
        "username": "hypernetes",
        "password": "s3cret",
        "user_domain_id": "default",
        "project_name": "service",
        "project_domain_id": "default",
    }
    for name, value in settings.items():
        conf.set_override(name, value, group="openstack")


def refusal(kind: str, message: str = "because") -> dict[str, Any]:
    """The body of an error of Neutron's."""
    return {"NeutronError": {"type": kind, "message": message, "detail": ""}}


class Services(fixtures.Fixture):
    """The server, what exists in it and what it was asked."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.things: dict[str, dict[str, dict[str, Any]]] = {collection: {} for collection in _SINGULAR}
        self.assignments: set[str] = set()
        self.roles = [{"id": MEMBER_ROLE_ID, "name": "member", "domain_id": None}]
        self.page_size: int | None = None
        self.filters = True
        self.quiet_until = threading.Event()
        """Requests whose answer is lost wait for this one, if :meth:`loses` was told so."""
        self._scripted: list[list[Any]] = []
        self._numbers = 0

    def _setUp(self) -> None:  # noqa: N802 - fixtures' name
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        self.addCleanup(thread.join, 10)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.addCleanup(self.quiet_until.set)
        self.useFixture(fixtures.FakeLogger("keystoneauth"))
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.auth_url = f"{self.url}/v3"

    def answers(self, method: str, path: str, status: int, body: Any = None, *, times: int = -1) -> None:
        """Answer requests that the pattern ``path`` matches like this, so many times; for ever by default."""
        self._scripted.append([method, re.compile(path), times, (status, body)])

    def loses(self, method: str, path: str, *, times: int = 1, quiet: bool = False) -> None:
        """Carry requests out, but close the connection without an answer; at once, or when the test ends."""
        self._scripted.append([method, re.compile(path), times, quiet])

    def forget_answers(self) -> None:
        """Answer of its own accord again."""
        self._scripted.clear()

    def sent(self, method: str | None = None) -> list[Request]:
        """The requests but for those for tokens."""
        return [r for r in self.requests if r.path != "/auth/tokens" and method in (None, r.method)]

    def tokens(self) -> list[Any]:
        """The bodies of the requests for tokens."""
        return [r.body for r in self.requests if r.path == "/auth/tokens"]

    def put(self, collection: str, project_id: str, **fields: Any) -> str:
        """Something that exists already; its id. What is put later is younger."""
        self._numbers += 1
        identifier = fields.pop("id", f"{_SINGULAR[collection]}-{self._numbers}")
        made = {"id": identifier, "project_id": project_id, "created_at": f"2026-01-01T00:{self._numbers:02}:00Z"}
        self.things[collection][identifier] = made | fields
        return str(identifier)

    def respond(self, request: Request) -> tuple[int, Any, dict[str, str]] | None:
        """Status, body and headers; None gives no answer."""
        self.requests.append(request)
        for script in self._scripted:
            method, path, times, how = script
            if times and method == request.method and path.fullmatch(request.path):
                script[2] -= 1
                if isinstance(how, tuple):
                    return (*how, {})
                self._carry_out(request)
                if how:
                    self.quiet_until.wait(30)
                return None
        return self._carry_out(request)

    def _carry_out(self, request: Request) -> tuple[int, Any, dict[str, str]]:
        if request.place != "keystone":
            return (*self._neutron(request), {})
        if request.path == "/auth/tokens":
            return self._token(request)
        if request.path == "/roles":
            return 200, {"roles": [role for role in self.roles if role["name"] == request.query["name"]]}, {}
        known = request.path in self.assignments
        if request.method == "PUT":
            self.assignments.add(request.path)
            return 204, None, {}
        self.assignments.discard(request.path)
        return (204 if known else 404), None, {}

    def _token(self, request: Request) -> tuple[int, Any, dict[str, str]]:
        ((kind, scope),) = request.body["auth"]["scope"].items()
        own = {} if "id" in scope else {"id": SERVICE_PROJECT_ID}
        text = f"{kind}:{scope['id']}" if "id" in scope else f"{kind}-name:{scope['name']}"
        endpoints = [
            {
                "id": f"{region}-{interface}",
                "region": region,
                "region_id": region,
                "interface": interface,
                "url": f"{self.url}/neutron/{region}/{interface}",
            }
            for region in _REGIONS
            for interface in ("internal", "public", "admin")
        ]
        token = {
            "methods": ["password"],
            "user": {"id": USER_ID, "name": "hypernetes", "domain": {"id": "default", "name": "Default"}},
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "expires_at": "2100-01-01T00:00:00.000000Z",
            "catalog": [{"id": "n", "type": "network", "name": "neutron", "endpoints": endpoints}],
            kind: {"name": "x", "domain": {"id": "default", "name": "Default"}} | own | scope,
        }
        return 201, {"token": token}, {"X-Subject-Token": f"{text}#{len(self.tokens())}"}

    def _neutron(self, request: Request) -> tuple[int, Any]:
        collection, _, rest = request.path.strip("/").partition("/")
        identifier, _, action = rest.partition("/")
        things, key = self.things[collection], _SINGULAR[collection]
        if action:
            return self._router_interface(identifier, action, request.body["subnet_id"])
        if request.method == "POST":
            fields = copy.deepcopy(request.body[key])
            owner = fields.pop("project_id", (request.scope or "").rpartition(":")[2])
            if collection == "ports":
                fields["fixed_ips"] = [{"ip_address": "10.0.0.5"} | fixed for fixed in fields["fixed_ips"]]
            return 201, {key: things[self.put(collection, owner, **fields)]}
        if not identifier:
            return 200, self._page(collection, request)
        if identifier not in things:
            return 404, refusal(f"{key}NotFound", f"{key} {identifier} could not be found.")
        return (
            (204, things.pop(identifier) and None) if request.method == "DELETE" else (200, {key: things[identifier]})
        )

    def _page(self, collection: str, request: Request) -> dict[str, Any]:
        wanted = {k: v for k, v in request.query.items() if k not in ("limit", "marker")} if self.filters else {}
        found = [thing for thing in self.things[collection].values() if _matches(thing, wanted)]
        start = int(request.query.get("marker", 0))
        end = start + (self.page_size or len(found))
        key = collection.replace("-", "_")
        page: dict[str, Any] = {key: found[start:end]}
        if end < len(found):
            query = urllib.parse.urlencode({**request.query, "marker": str(end)})
            href = f"{self.url}/neutron/{request.place}/v2.0/{collection}?{query}"
            page[f"{key}_links"] = [{"rel": "next", "href": href}]
        return page

    def _router_interface(self, router_id: str, action: str, subnet_id: str) -> tuple[int, Any]:
        fixed = [{"subnet_id": subnet_id, "ip_address": "10.0.0.1"}]
        known = [p for p in self.things["ports"].values() if p["device_id"] == router_id and p["fixed_ips"] == fixed]
        if action == "add_router_interface":
            if known:
                return 400, refusal("BadRequest", f"Router already has a port on subnet {subnet_id}.")
            owner = self.things["routers"][router_id]["project_id"]
            self.put("ports", owner, device_id=router_id, fixed_ips=fixed)
        elif not known:
            return 404, refusal("RouterInterfaceNotFoundForSubnet", "it has no interface on the subnet.")
        else:
            del self.things["ports"][known[0]["id"]]
        return 200, {"id": router_id, "subnet_id": subnet_id}


def _matches(thing: dict[str, Any], wanted: dict[str, str]) -> bool:
    for name, value in wanted.items():
        if name == "fixed_ips":
            if value not in [f"subnet_id={fixed['subnet_id']}" for fixed in thing["fixed_ips"]]:
                return False
        elif str(thing.get(name)) != value:
            return False
    return True


def _handler(services: Services) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        wbufsize = -1

        def do_GET(self) -> None:
            url = urllib.parse.urlsplit(self.path)
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            neutron = _NEUTRON.fullmatch(url.path)
            request = Request(
                method=self.command,
                path=url.path.partition("/v2.0" if neutron else "/v3")[2],
                query=dict(urllib.parse.parse_qsl(url.query)),
                body=json.loads(text) if text else None,
                token=self.headers.get("X-Auth-Token"),
                place=neutron["place"] if neutron else "keystone",
                request_id=self.headers.get("X-OpenStack-Request-ID"),
            )
            answer = services.respond(request)
            if answer is None:
                return
            status, body, headers = answer
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if body is not None:
                self.wfile.write(json.dumps(body).encode())

        do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - http.server's names

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler
