# SPDX-License-Identifier: Apache-2.0
"""HAProxy's configuration: takes in each request whole, within a deadline, before a WSGI server gets it.

A worker of uWSGI reads a request's body itself, and its timeout counts for each piece, so without the proxy a client
that sends a byte a second would hold a worker for as long as it wants.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hypernetes.api import errors
from hypernetes.standalone import addresses

LARGEST_BODY = 64 * 1024
"""Bytes; as the API's own limit."""
BUFFER = 160 * 1024
"""Bytes: a body and its headers, which a Keystone token may make long."""
REQUEST_SECONDS = 5
"""For a whole request, from its first byte to its last."""
CONNECTIONS_PER_SOURCE = 128
CONNECTIONS = 2000

_TITLES = {
    400: ("hypernetes.request.invalid", "Bad Request", "The request is not valid HTTP."),
    408: (errors.OTHER_CODE, "Request Timeout", f"The request did not arrive within {REQUEST_SECONDS} s."),
    411: (errors.OTHER_CODE, "Length Required", "Set the header Content-Length."),
    413: ("hypernetes.request.too_large", "Content Too Large", "The body is larger than this service accepts."),
    502: ("hypernetes.backend.unavailable", "Bad Gateway", "The service is being restarted. Try again."),
    503: ("hypernetes.backend.unavailable", "Service Unavailable", "The service is busy. Try again."),
    504: ("hypernetes.backend.unavailable", "Gateway Timeout", "The service did not answer in time. Try again."),
}


@dataclass(frozen=True, slots=True)
class Frontend:
    """One public port and the WSGI server behind it. ``clients`` is the CA whose certificates clients must have."""

    name: str
    port: int
    socket: Path
    certificate: Path
    workers: int
    server_seconds: int
    clients: Path | None = None
    largest_body: int = LARGEST_BODY
    """Bytes. Of a body that is larger than :data:`BUFFER`, the service gets the rest as the client sends it."""


def render(frontends: Iterable[Frontend], *, address: str = addresses.CONTROL) -> str:
    """Return the whole configuration; the public ports are those of ``address``."""
    lines = [
        "global",
        "    user haproxy",
        "    group haproxy",
        "    log stdout format raw daemon info",
        f"    maxconn {CONNECTIONS}",
        # Of <name>.crt the key is <name>.key.
        "    ssl-load-extra-del-ext",
        "    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets",
        f"    tune.bufsize {BUFFER}",
        "    tune.h2.max-concurrent-streams 100",
        "",
        "defaults",
        "    mode http",
        "    log global",
        "    option httplog",
        "    option dontlognull",
        "    option dontlog-normal",
        "    option http-buffer-request",
        "    option forwardfor",
        f"    timeout http-request {REQUEST_SECONDS}s",
        "    timeout http-keep-alive 30s",
        "    timeout client 30s",
        "    timeout connect 5s",
        "    timeout queue 5s",
        *(f"    {_error(status)}" for status in (400, 408, 502, 503, 504)),
    ]
    for frontend in frontends:
        lines += ["", *_frontend(frontend, address)]
    return "\n".join(lines) + "\n"


def _frontend(frontend: Frontend, address: str) -> list[str]:
    verify = f" ca-file {frontend.clients} verify required" if frontend.clients else ""
    # An apiserver multiplexes its reviews; elsewhere a stream would escape the limit of connections.
    protocols = "h2,http/1.1" if frontend.clients else "http/1.1"
    return [
        f"frontend {frontend.name}",
        f"    bind {address}:{frontend.port} ssl crt {frontend.certificate} alpn {protocols}{verify}",
        "    stick-table type ip size 100k expire 1m store conn_cur",
        "    tcp-request connection track-sc0 src",
        f"    tcp-request connection reject if {{ sc0_conn_cur gt {CONNECTIONS_PER_SOURCE} }}",
        f"    http-request {_answer(411)} if {{ req.fhdr(transfer-encoding) -m found }}",
        f"    http-request {_answer(413)} if {{ req.hdr_val(content-length) gt {frontend.largest_body} }}",
        # Only what the proxy itself says about the client may reach the service.
        "    http-request del-header Forwarded",
        "    http-request del-header X-Forwarded- -m beg",
        "    http-request set-header X-Forwarded-Proto https",
        f"    default_backend {frontend.name}",
        "",
        f"backend {frontend.name}",
        f"    timeout server {frontend.server_seconds}s",
        f"    server {frontend.name} unix@{frontend.socket} maxconn {frontend.workers}",
    ]


def _document(status: int) -> str:
    """Return an error in the form of the API-SIG, without a request ID: the service has not seen the request."""
    code, title, detail = _TITLES[status]
    error = {"request_id": "", "code": code, "status": status, "title": title, "detail": detail, "links": []}
    return json.dumps({"errors": [error]})


def _error(status: int) -> str:
    after = " hdr Retry-After 1" if status in (502, 503, 504) else ""
    return f"http-error status {status} content-type application/json string '{_document(status)}'{after}"


def _answer(status: int) -> str:
    return f"return status {status} content-type application/json string '{_document(status)}'"
