# SPDX-License-Identifier: Apache-2.0
"""The public API: it holds the database, RabbitMQ and an account that may only validate tokens."""

from __future__ import annotations

from hypernetes.standalone import ini
from hypernetes.standalone.components import identity
from hypernetes.standalone.components import mariadb
from hypernetes.standalone.components import proxy
from hypernetes.standalone.components import rabbitmq
from hypernetes.standalone.components.wsgi_service import wsgi_component
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
        # The proxy speaks TLS with the client; links must say https.
        "oslo_middleware": {"enable_proxy_headers_parsing": True},
        "oslo_messaging_rabbit": rabbitmq.client_options(installation),
    }


COMPONENT = wsgi_component(
    NAME,
    "the public API",
    module="hypernetes.wsgi.api:application",
    threads=proxy.API_WORKERS,
    # More than [messaging] call_timeout.
    longest_request=45,
    configuration=configuration,
    needs=("hypernetes-database", "rabbitmq", "memcached", "identity"),
)
