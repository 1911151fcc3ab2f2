# SPDX-License-Identifier: Apache-2.0
"""RabbitMQ over TLS, with its management interface and one account per control service.

Nodes' accounts are made by the conductor at enrollment, each limited to queues of its own name.
"""

from __future__ import annotations

import base64
import hashlib
import http
import json
import os
import pwd
import ssl
import urllib.request
from collections.abc import Mapping

from hypernetes.standalone import addresses
from hypernetes.standalone import machine
from hypernetes.standalone.component import Component
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.passwords import rabbitmq_hash
from hypernetes.standalone.supervision import Program

ACCOUNT = "rabbitmq"
VIRTUAL_HOST = "hypernetes"
SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
NODE = "hypernetes@localhost"
EPMD_PORT = 14369
DISTRIBUTION_PORT = 25672

MANAGEMENT_USER = "hypernetes-management"
# What each account may (configure, write, read). The API only casts to conductors. A conductor answers agents'
# calls through the default exchange, declares each node's exchange and binds it; agents have accounts of their own.
PERMISSIONS = {
    "hypernetes-api": (
        r"^(hypernetes|hypernetes-conductor.*|reply_.*)$",
        r"^(hypernetes|hypernetes-conductor.*|reply_.*)$",
        r"^(hypernetes|reply_.*)$",
    ),
    "hypernetes-conductor": (
        r"^(hypernetes.*|reply_.*)$",
        r"^(hypernetes.*|reply_.*|amq\.default)$",
        r"^(hypernetes.*|reply_.*)$",
    ),
}


def url(installation: Installation, user: str, virtual_host: str = VIRTUAL_HOST) -> str:
    """The oslo.messaging transport address of an account; it holds the password."""
    host = f"{addresses.CONTROL}:{addresses.RABBITMQ_PORT}"
    return f"rabbit://{user}:{installation.password(f'rabbitmq-{user}')}@{host}/{virtual_host}"


def client_options(installation: Installation) -> dict[str, str | int | float | bool]:
    """oslo.messaging's options for a broker that speaks TLS only."""
    return {"ssl": True, "ssl_ca_file": str(installation.layout.ca_certificate)}


def render(certificate: str, key: str, ca_file: str, definitions: str) -> str:
    """The broker's configuration: TLS only, our address only."""
    tls = f"cacertfile = {ca_file}", f"certfile = {certificate}", f"keyfile = {key}"
    lines = [
        "listeners.tcp = none",
        f"listeners.ssl.default = {addresses.CONTROL}:{addresses.RABBITMQ_PORT}",
        *(f"ssl_options.{line}" for line in tls),
        "ssl_options.verify = verify_none",
        "ssl_options.versions.1 = tlsv1.3",
        "ssl_options.versions.2 = tlsv1.2",
        f"management.ssl.ip = {addresses.INTERNAL}",
        f"management.ssl.port = {addresses.RABBITMQ_MANAGEMENT_PORT}",
        *(f"management.ssl.{line}" for line in tls),
        f"load_definitions = {definitions}",
        "loopback_users = none",
        "log.console = true",
        "log.console.level = warning",
        "log.file = false",
        "vm_memory_high_watermark.absolute = 1GB",
        "disk_free_limit.absolute = 200MB",
    ]
    return "\n".join(lines) + "\n"


def definitions(installation: Installation) -> str:
    """Accounts, the virtual host and permissions as RabbitMQ imports them at every start."""
    users = [*PERMISSIONS, MANAGEMENT_USER]
    everything = {"configure": ".*", "write": ".*", "read": ".*"}

    def user(name: str) -> dict[str, object]:
        # A salt must differ between accounts. One that follows from the name leaves the file, and so the broker, as it
        # is at the next start.
        salt = hashlib.sha256(name.encode()).digest()[:4]
        return {
            "name": name,
            "password_hash": rabbitmq_hash(installation.password(f"rabbitmq-{name}"), salt),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            # RabbitMQ lets only administrators make accounts and permissions.
            "tags": ["administrator"] if name == MANAGEMENT_USER else [],
        }

    def permission(name: str) -> dict[str, str]:
        rule = dict(zip(("configure", "write", "read"), PERMISSIONS[name], strict=True))
        return {"user": name, "vhost": VIRTUAL_HOST, **rule}

    return json.dumps(
        {
            "users": [user(name) for name in users],
            "vhosts": [{"name": VIRTUAL_HOST}],
            "permissions": [
                *(permission(name) for name in PERMISSIONS),
                {"user": MANAGEMENT_USER, "vhost": VIRTUAL_HOST, **everything},
            ],
        },
        indent=1,
    )


def start(installation: Installation) -> None:
    """Write configuration and accounts, start the broker as its own user."""
    directory = installation.layout.service("rabbitmq")
    directory.mkdir(parents=True, exist_ok=True)
    account = pwd.getpwnam(ACCOUNT)
    owner = (account.pw_uid, account.pw_gid)
    os.chown(directory, *owner)
    tls = installation.layout.tls
    accounts = directory / "definitions.json"
    configuration = directory / "rabbitmq.conf"
    plugins = directory / "enabled_plugins"
    machine.write(accounts, definitions(installation), mode=0o600, owner=owner)
    machine.write(
        configuration,
        render(str(tls / "rabbitmq.crt"), str(tls / "rabbitmq.key"), str(tls / "ca.crt"), str(accounts)),
    )
    machine.write(plugins, "[rabbitmq_management].\n")
    installation.control.apply(
        Program(
            name="rabbitmq",
            command=[SERVER],
            user=ACCOUNT,
            directory=directory,
            environment={
                # Erlang makes its cookie (mode 0400) in HOME.
                "HOME": str(directory),
                "RABBITMQ_NODENAME": NODE,
                "RABBITMQ_CONFIG_FILE": str(configuration),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
                "RABBITMQ_MNESIA_BASE": str(directory / "data"),
                "RABBITMQ_LOG_BASE": str(directory / "log"),
                "RABBITMQ_DIST_PORT": str(DISTRIBUTION_PORT),
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +A 4",
                "ERL_EPMD_ADDRESS": "127.0.0.1",
                # A port mapper of our own, so that stopping it disturbs no other Erlang program.
                "ERL_EPMD_PORT": str(EPMD_PORT),
            },
            files=[configuration, accounts, plugins],
            stop_seconds=30,
        )
    )


def ensure_virtual_host(installation: Installation, name: str) -> None:
    """Create a virtual host and an account of the same name that may do all in it, and nothing elsewhere."""
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    _manage(installation, f"vhosts/{name}", {})
    _manage(installation, f"users/{name}", {"password": installation.password(f"rabbitmq-{name}"), "tags": ""})
    _manage(installation, f"permissions/{name}/{name}", everything)


def _manage(installation: Installation, path: str, body: Mapping[str, str] | None = None) -> int:
    """PUT a body at RabbitMQ's management interface, or GET; return the status.

    :raises OSError: when it is unreachable or refuses.
    """
    request = urllib.request.Request(  # noqa: S310 - https
        f"{addresses.RABBITMQ_MANAGEMENT_URL}/api/{path}",
        data=None if body is None else json.dumps(body).encode(),
        method="GET" if body is None else "PUT",
    )
    password = installation.password(f"rabbitmq-{MANAGEMENT_USER}")
    basic = base64.b64encode(f"{MANAGEMENT_USER}:{password}".encode()).decode()
    request.add_header("Authorization", f"Basic {basic}")
    request.add_header("Content-Type", "application/json")
    trust = ssl.create_default_context(cafile=str(installation.layout.ca_certificate))
    with urllib.request.urlopen(request, timeout=5, context=trust) as answer:  # noqa: S310 - https
        return int(answer.status)


def ready(installation: Installation) -> bool:
    """Return whether the virtual host works: RabbitMQ's own check sends a message through it."""
    try:
        return _manage(installation, "health/checks/virtual-hosts") == http.HTTPStatus.OK
    except OSError:
        return False


COMPONENT = Component(
    name="rabbitmq", summary="message broker over TLS", needs=("supervisor", "bridge", "tls"), start=start, ready=ready
)
