# SPDX-License-Identifier: Apache-2.0
"""Serves a WSGI application over TLS on a loopback port, for tests."""

import socketserver
import ssl
import tempfile
import threading
from types import TracebackType
from typing import Any
from wsgiref import simple_server

from hypernetes.tests.functional.kubernetes import control_plane


class _Quiet(simple_server.WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Server(socketserver.ThreadingMixIn, simple_server.WSGIServer):
    daemon_threads = True


class WebhookServer:
    """A context manager; ``url`` is where the application is."""

    def __init__(self, application: Any) -> None:
        self.authority = control_plane.CertificateAuthority("test-webhook")
        certificate, key = self.authority.issue("webhook", addresses=("127.0.0.1",))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile("w") as pem:
            pem.write(certificate + key)
            pem.flush()
            context.load_cert_chain(pem.name)
        self._server = simple_server.make_server(
            "127.0.0.1", 0, application, server_class=_Server, handler_class=_Quiet
        )
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "WebhookServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
