# SPDX-License-Identifier: Apache-2.0
"""Checks of whether a server answers."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import urllib.error
import urllib.request
from pathlib import Path


def answers(
    url: str,
    *,
    ca_file: Path | None = None,
    accepted: tuple[int, ...] = (200, 300),
    client: tuple[Path, Path] | None = None,
) -> bool:
    """Return whether a GET of the URL is answered with one of the accepted statuses within 5 s.

    :param ca_file: CA certificate by which an https server is verified.
    :param client: certificate and key to present to it.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"not an http address: {url}")
    context = ssl.create_default_context(cafile=str(ca_file)) if ca_file else None
    if context and client:
        context.load_cert_chain(*client)
    try:
        with urllib.request.urlopen(url, timeout=5, context=context) as answer:  # noqa: S310 - checked above
            return answer.status in accepted
    except urllib.error.HTTPError as error:
        return error.code in accepted
    except OSError:
        return False


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=5)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def answers_at(path: Path, url: str) -> bool:
    """Return whether a GET of the URL's path at a Unix socket is answered with 200 within 5 s."""
    with contextlib.closing(_SocketConnection(path)) as connection:
        try:
            connection.request("GET", url)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
