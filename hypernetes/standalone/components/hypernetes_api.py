# SPDX-License-Identifier: Apache-2.0
"""The public API over TLS: it holds the database, RabbitMQ and an account that may only validate tokens."""

from __future__ import annotations

from hypernetes.standalone import addresses
from hypernetes.standalone import ini
from hypernetes.standalone import machine
from hypernetes.standalone import probes
from hypernetes.standalone import wsgi
from hypernetes.standalone.component import Component
from hypernetes.standalone.components import identity
from hypernetes.standalone.components import mariadb
from hypernetes.standalone.components import rabbitmq
from hypernetes.standalone.installation import Installation

NAME = "hypernetes-api"
SERVICE_SUBNET = "10.96.0.0/16"
"""Well away from 10.0.0.0/16, from which each project's namespaces get their subnets."""


def configuration(installation: Installation) -> ini.Sections:
    """The API's options."""
    return {
        "DEFAULT": {"transport_url": rabbitmq.url(installation, NAME)},
        "api": {"service_subnet": SERVICE_SUBNET},
        "database": {"connection": mariadb.url(installation, "hypernetes")},
        "keystone_authtoken": identity.token_middleware(installation, "hypernetes-validator"),
        "oslo_messaging_rabbit": rabbitmq.client_options(installation),
    }


def start(installation: Installation) -> None:
    """Configure it and start it under uWSGI."""
    path = installation.layout.service(NAME) / "hypernetes.conf"
    machine.write(path, ini.render(configuration(installation)), mode=0o600)
    tls = installation.layout.tls
    service = wsgi.Service(
        name=NAME,
        module="hypernetes.wsgi.api:init_application()",
        port=addresses.API_PORT,
        processes=1,
        threads=8,
        certificate=(tls / f"{NAME}.crt", tls / f"{NAME}.key"),
        environment={"OS_HYPERNETES_CONFIG_FILES": str(path)},
        files=[path, *installation.layout.sources()],
    )
    installation.control.apply(wsgi.program(installation, service))


def ready(installation: Installation) -> bool:
    """Whether its health check answers."""
    return probes.answers(f"{addresses.API_URL}/healthcheck", authority=installation.layout.ca_certificate)


COMPONENT = Component(
    name=NAME,
    summary="the public API",
    needs=("supervisor", "tls", "hypernetes-database", "rabbitmq", "memcached", "identity"),
    start=start,
    ready=ready,
)
