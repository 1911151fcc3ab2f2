# SPDX-License-Identifier: Apache-2.0
"""HAProxy in front of the API and the webhook; each has a Unix socket that only HAProxy reaches."""

from __future__ import annotations

from pathlib import Path

from hypernetes.auth import write_pace
from hypernetes.standalone import addresses
from hypernetes.standalone import haproxy
from hypernetes.standalone import machine
from hypernetes.standalone import probes
from hypernetes.standalone.component import Component
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.supervision import Program

NAME = "proxy"
HAPROXY = "/usr/sbin/haproxy"
API_WORKERS = 8
WEBHOOK_WORKERS = 96
"""Threads. At most 68 hold unknown tokens, most of which wait ([webhook] unknown_waiting), and 16 hold large writes."""


def socket(installation: Installation, name: str) -> Path:
    """Return the socket on which a service is behind the proxy."""
    return installation.layout.run / f"{name}.sock"


def frontends(installation: Installation) -> list[haproxy.Frontend]:
    """Return the public ports."""
    tls = installation.layout.tls
    return [
        haproxy.Frontend(
            "hypernetes-api",
            addresses.API_PORT,
            socket(installation, "hypernetes-api"),
            tls / "hypernetes-api.crt",
            API_WORKERS,
            # Longer than [messaging] call_timeout, after which the API answers 503 itself.
            server_seconds=40,
        ),
        haproxy.Frontend(
            "hypernetes-webhook",
            addresses.WEBHOOK_PORT,
            socket(installation, "hypernetes-webhook"),
            tls / "hypernetes-webhook.crt",
            WEBHOOK_WORKERS,
            server_seconds=12,
            clients=installation.webhook_clients.certificate,
            largest_body=write_pace.MAX_BODY,
        ),
    ]


def start(installation: Installation) -> None:
    """Configure and start it."""
    path = installation.layout.service(NAME) / "haproxy.cfg"
    served = frontends(installation)
    machine.write(path, haproxy.render(served))
    read = [file for each in served for file in (each.certificate, each.clients) if file]
    installation.control.apply(Program(name=NAME, command=[HAPROXY, "-db", "-f", path], files=[path, *read]))


def ready(installation: Installation) -> bool:
    """Return whether both services answer through it."""
    ca_file = installation.layout.ca_certificate
    client = installation.webhook_clients.issue("probe")
    return probes.answers(f"{addresses.API_URL}/healthcheck", ca_file=ca_file) and probes.answers(
        f"{addresses.WEBHOOK_URL}/healthcheck", ca_file=ca_file, client=client
    )


COMPONENT = Component(
    name=NAME,
    summary="HAProxy: whole requests for API and webhook",
    # After them: before there was a proxy, the services themselves had its ports.
    needs=("tls", "bridge", "hypernetes-api", "hypernetes-webhook"),
    start=start,
    ready=ready,
    timeout=60,
)
