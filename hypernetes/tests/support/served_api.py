# SPDX-License-Identifier: Apache-2.0
"""The real API on a local port, and openstacksdk connections to it: the client's tests and the API agree by running."""

import threading
from typing import Any
from wsgiref import simple_server

import fixtures
import openstack.connection
from keystoneauth1 import session
from keystoneauth1 import token_endpoint

from hypernetes.sdk import service
from hypernetes.tests.support import application


class _Handler(simple_server.WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


class ServedApi(fixtures.Fixture):
    """The API behind HTTP. ``requests`` are the method and the path of each request, as they were sent."""

    def _setUp(self) -> None:  # noqa: N802 - the name that fixtures calls
        self.application = self.useFixture(application.Application())
        self.requests: list[tuple[str, str]] = []
        requests = self.requests

        class Handler(_Handler):
            def get_environ(self) -> dict[str, Any]:
                requests.append((self.command, self.path))
                return super().get_environ()

        server = simple_server.make_server("127.0.0.1", 0, self.application.wsgi, handler_class=Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        self.addCleanup(thread.join, 10)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_port}"

    def connection(self, persona: str, **options: Any) -> Any:
        """Return an openstacksdk connection with the service registered.

        :param persona: a key of :data:`application.PERSONAS`.
        :param options: arguments of the connection.
        """
        auth = token_endpoint.Token(self.url, persona)
        made = openstack.connection.Connection(
            session=session.Session(auth=auth), kubernetes_endpoint_override=f"{self.url}/v1", **options
        )
        self.addCleanup(made.close)
        if "vendor_hook" not in options:
            service.register(made)
        return made
