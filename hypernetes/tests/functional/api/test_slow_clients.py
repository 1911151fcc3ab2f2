# SPDX-License-Identifier: Apache-2.0
"""HAProxy, with the sample configuration, in front of a server with few workers."""

import contextlib
import http.client
import http.server
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path
from typing import Any
from typing import ClassVar

from hypernetes.tests.functional.kubernetes import control_plane

ADDRESS = "127.0.0.1"
SAMPLE = Path(__file__).parents[4] / "etc/hypernetes/haproxy.cfg"
REQUEST_SECONDS = 5
LARGEST_BODY = 64 * 1024
CONNECTIONS_PER_SOURCE = 128
WORKERS = 4
SLOW_CLIENTS = 64
QUICK = 1.0
"""Seconds; of the health check while slow clients are connected. In quiet times it takes some milliseconds."""
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2000\r\n\r\n"


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the length of the request's body, and its headers."""

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        answer = f"{len(body)}\n{self.headers}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer)
        self.close_connection = True

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


class Server:
    """Reads requests itself, as uWSGI does: a worker serves one connection, from its first byte to its last."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen(1000)
        path.chmod(0o666)
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(WORKERS)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Accept no more connections."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _work(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            # A client that has closed its connection ends no worker.
            with connection, contextlib.suppress(OSError):
                # An address that http.server can log.
                _Handler(connection, ("", 0), None)  # type: ignore[arg-type]


class SlowClientsTest(unittest.TestCase):
    """What a client gets while others are slow, and who may connect."""

    socket: ClassVar[Path]
    directory: ClassVar[Path]
    authority: ClassVar[control_plane.CertificateAuthority]
    port: ClassVar[int]
    closed_port: ClassVar[int]

    @classmethod
    def setUpClass(cls) -> None:
        directory = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, directory)
        # HAProxy gives up root before it connects.
        directory.chmod(0o711)
        cls.socket = directory / "service.sock"
        cls.addClassCleanup(Server(cls.socket).close)
        cls.directory = directory
        cls.authority = control_plane.CertificateAuthority("test-proxy")
        for name in ("open", "client"):
            certificate, key = cls.authority.issue(name, addresses=(ADDRESS,))
            (directory / f"{name}.crt").write_text(certificate)
            (directory / f"{name}.key").write_text(key)
        (directory / "ca.crt").write_text(cls.authority.pem)
        cls.port, cls.closed_port = _free_port(), _free_port()
        configuration = directory / "haproxy.cfg"
        configuration.write_text(cls._configuration())
        proxy = subprocess.Popen(["/usr/sbin/haproxy", "-db", "-f", str(configuration)])
        cls.addClassCleanup(proxy.wait, 20)
        cls.addClassCleanup(proxy.kill)
        control_plane.wait_for("the proxy", lambda: _is_open(cls.port), 30)

    @classmethod
    def _configuration(cls) -> str:
        """Return the sample with places of the test's own."""
        text = SAMPLE.read_text()
        for ours, own in (
            ("log /dev/log daemon", "log stdout format raw daemon"),
            ("192.0.2.10:9518", f"{ADDRESS}:{cls.port}"),
            ("192.0.2.10:9519", f"{ADDRESS}:{cls.closed_port}"),
            ("192.0.2.10:6443", f"{ADDRESS}:{_free_port()}"),
            ("192.0.2.21:6443", f"{ADDRESS}:1"),
            ("/etc/hypernetes/tls/webhook-clients.crt", str(cls.directory / "ca.crt")),
            ("/etc/hypernetes/tls/api.crt", str(cls.directory / "open.crt")),
            ("/etc/hypernetes/tls/webhook.crt", str(cls.directory / "open.crt")),
            ("/run/hypernetes-api/api.sock", str(cls.socket)),
            ("/run/hypernetes-webhook/webhook.sock", str(cls.socket)),
            ("maxconn 32", f"maxconn {WORKERS}"),
        ):
            assert ours in text, ours
            text = text.replace(ours, own)
        return text

    def _tls(self, *, client: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.authority.pem)
        if client:
            context.load_cert_chain(self.directory / "client.crt", self.directory / "client.key")
        return context

    def _ask(
        self, body: bytes | None = None, *, port: int = 0, client: bool = False, headers: dict[str, str] | None = None
    ) -> Any:
        connection = http.client.HTTPSConnection(
            ADDRESS, port or self.port, timeout=20, context=self._tls(client=client)
        )
        self.addCleanup(connection.close)
        connection.request("GET" if body is None else "POST", "/healthcheck", body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def test_slow_clients_keep_no_one_waiting(self) -> None:
        slow = [self._tls().wrap_socket(socket.create_connection((ADDRESS, self.port)), server_hostname=ADDRESS)
                for _ in range(SLOW_CLIENTS)]  # fmt: skip
        for each in slow:
            self.addCleanup(each.close)
            each.sendall(HEAD)
        began = time.monotonic()
        longest = 0.0
        while time.monotonic() - began < REQUEST_SECONDS - 1:
            for each in slow:
                each.sendall(b" ")
            asked = time.monotonic()
            self.assertEqual(200, self._ask()[0])
            longest = max(longest, time.monotonic() - asked)
            time.sleep(0.2)
        self.assertLess(longest, QUICK)
        for each in slow:
            each.settimeout(20)
            self.assertIn(b" 408 ", each.recv(4096))

    def test_without_the_proxy_slow_clients_hold_every_worker(self) -> None:
        slow = [socket.socket(socket.AF_UNIX) for _ in range(WORKERS)]
        for each in slow:
            self.addCleanup(each.close)
            each.connect(str(self.socket))
            each.sendall(HEAD)
        with socket.socket(socket.AF_UNIX) as other:
            other.settimeout(QUICK)
            other.connect(str(self.socket))
            other.sendall(b"GET / HTTP/1.0\r\n\r\n")
            self.assertRaises(TimeoutError, other.recv, 1)

    def test_a_large_request_arrives_and_a_too_large_one_does_not(self) -> None:
        status, text = self._ask(b"x" * LARGEST_BODY, headers={"X-Auth-Token": "x" * 40_000})
        self.assertEqual((200, str(LARGEST_BODY)), (status, text.splitlines()[0]))
        self.assertEqual(413, self._ask(b"x" * (LARGEST_BODY + 1))[0])

    def test_a_body_of_unknown_length_is_refused(self) -> None:
        connection = http.client.HTTPSConnection(ADDRESS, self.port, timeout=20, context=self._tls())
        self.addCleanup(connection.close)
        connection.request("POST", "/", iter([b"x"]), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
        self.assertEqual(411, connection.getresponse().status)

    def test_the_service_hears_of_the_client_from_the_proxy_only(self) -> None:
        forged = {"X-Forwarded-For": "192.0.2.9", "X-Forwarded-Host": "evil.example", "Forwarded": "for=192.0.2.9"}
        _, text = self._ask(headers=forged)
        self.assertNotIn("192.0.2.9", text)
        self.assertNotIn("evil.example", text)
        self.assertIn("x-forwarded-for: 127.0.0.1", text.lower())
        self.assertIn("x-forwarded-proto: https", text.lower())

    def test_one_source_has_a_bounded_number_of_connections(self) -> None:
        held = [socket.create_connection((ADDRESS, self.port)) for _ in range(CONNECTIONS_PER_SOURCE + 20)]
        for each in held:
            self.addCleanup(each.close)
            each.settimeout(QUICK)
        ended = 0
        for each in held:
            try:
                ended += each.recv(1) == b""
            except ConnectionResetError:
                ended += 1
            except TimeoutError:
                # Those that are held come first, so the rest is ended by now.
                each.settimeout(0.001)
        self.assertGreaterEqual(ended, 20)

    def test_without_a_client_certificate_a_closed_port_serves_nothing(self) -> None:
        self.assertRaises(OSError, self._ask, port=self.closed_port)
        self.assertEqual(200, self._ask(port=self.closed_port, client=True)[0])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        port: int = probe.getsockname()[1]
        return port


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((ADDRESS, port)) == 0
