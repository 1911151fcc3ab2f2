# SPDX-License-Identifier: Apache-2.0
"""The whole API with nothing outside: a database in a file, a conductor that records what it is sent, personas.

The personas stand where keystonemiddleware stands, and give the application the headers Keystone would have led to.
"""

from typing import Any

import fixtures
import webob
import webob.dec
import webob.exc

from hypernetes.api import app
from hypernetes.api import services
from hypernetes.model import errors
from hypernetes.rpc import messages
from hypernetes.tests.support import database as builders

_IMPLIED = {
    "admin": "admin,manager,member,reader",
    "manager": "manager,member,reader",
    "member": "member,reader",
    "reader": "reader",
    "none": "swift_user",
    "service": "service",
}


def _in_project(project: str, role: str) -> dict[str, str]:
    return {"X-Project-Id": project, "X-Roles": _IMPLIED[role], "X-User-Id": "1" * 32}


PERSONAS: dict[str, dict[str, str]] = {
    "operator": _in_project("c" * 32, "admin"),
    **{f"red_{role}": _in_project(builders.RED, role) for role in _IMPLIED if role != "admin"},
    **{f"blue_{role}": _in_project(builders.BLUE, role) for role in ("reader", "member", "manager")},
    "system_admin": {"OpenStack-System-Scope": "all", "X-Roles": _IMPLIED["admin"], "X-User-Id": "2" * 32},
    "domain_admin": {"X-Domain-Id": "default", "X-Roles": _IMPLIED["admin"], "X-User-Id": "3" * 32},
    "unscoped": {"X-User-Id": "4" * 32},
}
"""What the token in ``X-Auth-Token`` of that name stands for. Any other token is no token."""


def authenticate(application: Any) -> Any:
    """Stands in for keystonemiddleware."""

    @webob.dec.wsgify  # type: ignore[untyped-decorator]
    def middleware(request: webob.Request) -> webob.Response:
        persona = PERSONAS.get(request.headers.get("X-Auth-Token", ""))
        if persona is None:
            raise webob.exc.HTTPUnauthorized(headers={"WWW-Authenticate": 'Keystone uri="https://keystone.example"'})
        for header, value in persona.items():
            # Keystone's middleware writes the scope under this name, without HTTP_X.
            request.headers[header] = value
        return request.get_response(application)

    return middleware


class FakeConductor:
    """Records what it is sent."""

    def __init__(self) -> None:
        self.woken: list[messages.Wake] = []
        self.enrolled: list[messages.EnrollNode] = []
        self.broken = False
        self.checks: tuple[messages.CheckResult, ...] = ()

    def wake(self, message: messages.Wake) -> None:
        """Note it."""
        if self.broken:
            raise errors.Unavailable(service="The message bus", reason="it cannot be reached")
        self.woken.append(message)

    def check_cluster(self, message: messages.CheckCluster) -> messages.CheckResults:
        """Answer what the test has set."""
        if self.broken:
            raise errors.Unavailable(service="The conductor", reason="no receiver is listening")
        return messages.CheckResults(checks=self.checks)

    def enroll_node(self, message: messages.EnrollNode) -> messages.Enrolled:
        """Note it, and answer as the conductor does."""
        if self.broken:
            raise errors.Unavailable(service="The conductor", reason="no answer to enroll_node within 30 s")
        self.enrolled.append(message)
        return messages.Enrolled(
            transport_url="rabbit://node1:{password}@198.51.100.1:5671//",
            exchange="hypernetes.node1",
            topic="hypernetes-agents",
        )


class Application(fixtures.Fixture):
    """The API, its database and its conductor.

    :param connection: URL of an empty database; None takes SQLite in a file.
    :param authentication: stands in for keystonemiddleware; None for the personas.
    """

    def __init__(self, connection: str | None = None, authentication: Any = authenticate) -> None:
        super().__init__()
        self._connection = connection
        self._authentication = authentication

    def _setUp(self) -> None:  # noqa: N802
        migrated = self.useFixture(builders.MigratedDatabase(self._connection))
        self.conf = migrated.conf
        self.conf.set_override("validate_responses", True, group="api")
        self.database = migrated.database
        self.conductor = FakeConductor()
        offered = services.Services(self.conf, self.database, self.conductor)
        self.wsgi = app.build(offered, self._authentication)

    def request(
        self, method: str, path: str, persona: str | None = None, body: object = None, **headers: str
    ) -> webob.Response:
        """The answer to one request; underscores in names of headers stand for hyphens."""
        request = webob.Request.blank(path, method=method)
        if persona is not None:
            request.headers["X-Auth-Token"] = persona
        if isinstance(body, bytes):
            request.body = body
        elif body is not None:
            request.json_body = body
        if body is not None:
            request.content_type = "application/json"
        for name, value in headers.items():
            request.headers[name.replace("_", "-")] = value
        return request.get_response(self.wsgi)
