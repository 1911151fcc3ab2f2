# SPDX-License-Identifier: Apache-2.0
"""WSGI services under uWSGI, on a port or, behind HAProxy, on a Unix socket.

Debian's uWSGI serves. Its plugin runs Debian's Python, which is why the
virtual environment is made with that interpreter.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from hypernetes.standalone import addresses
from hypernetes.standalone import machine
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.supervision import Program

UWSGI = "/usr/bin/uwsgi"


@dataclass(frozen=True, slots=True)
class Service:
    """One WSGI application and where it listens: a port, or a Unix socket that HAProxy may use.

    On a port it speaks TLS if there is a ``certificate`` (and its key).

    ``longest_request`` is in seconds; a worker process that needs longer for one is ended.
    """

    name: str
    module: str
    port: int = 0
    socket: Path | None = None
    processes: int = 2
    # One thread in each: oslo.policy loads its rules at the first request, and a second one that comes meanwhile finds
    # some missing, so that it is refused, or sees empty lists, for no reason.
    threads: int = 1
    certificate: tuple[Path, Path] | None = None
    longest_request: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: str = ""
    options: Sequence[str] = ()
    """Further lines of the configuration."""
    files: Sequence[Path] = ()


def render(service: Service, venv: Path) -> str:
    """The uWSGI configuration of a service."""
    if service.socket:
        socket = [f"http-socket = {service.socket}", "chmod-socket = 660", "chown-socket = root:haproxy"]
        # The proxy's own: it removes what clients send.
        socket.append("log-x-forwarded-for = true")
    elif service.certificate:
        certificate, key = service.certificate
        socket = [f"https-socket = {addresses.CONTROL}:{service.port},{certificate},{key},HIGH"]
    else:
        socket = [f"http-socket = {addresses.CONTROL}:{service.port}"]
    lines = [
        "[uwsgi]",
        "plugin = python3",
        f"home = {venv}",
        f"module = {service.module}",
        *socket,
        f"processes = {service.processes}",
        f"threads = {service.threads}",
        "master = true",
        "lazy-apps = true",
        "need-app = true",
        "enable-threads = true",
        "thunder-lock = true",
        "buffer-size = 65535",
        "die-on-term = true",
        # supervisord is at the other end. When that is closed it may poll without a pause (Supervisor issue 807).
        "honour-stdin = true",
        "vacuum = true",
        # uWSGI does not read the whole of a request that the application refused, so a connection cannot be kept.
        "add-header = Connection: close",
        # Neutron's OVN hash ring distinguishes a restarted server from a running one by this.
        "set-placeholder = start-time=%t",
        "log-format = %(addr) %(method) %(uri) %(status) %(msecs)ms",
        "procname-prefix-spaced = " + service.name,
        *service.options,
    ]
    if service.longest_request:
        lines.append(f"harakiri = {service.longest_request}")
    if service.arguments:
        lines.append(f"pyargv = {service.arguments}")
    return "\n".join(lines) + "\n"


def program(installation: Installation, service: Service) -> Program:
    """Write the service's uWSGI configuration and describe its process."""
    directory = installation.layout.service(service.name)
    path = directory / "uwsgi.ini"
    machine.write(path, render(service, installation.layout.venv))
    # Neutron leaves a file named after its parent process behind, which must not outlive `clean`.
    temporary = directory / "tmp"
    temporary.mkdir(mode=0o700, exist_ok=True)
    return Program(
        name=service.name,
        command=[UWSGI, "--ini", path],
        environment={"TMPDIR": str(temporary), **service.environment},
        stop_seconds=10,
        files=[path, *service.files],
    )
