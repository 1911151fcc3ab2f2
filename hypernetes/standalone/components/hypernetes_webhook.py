# SPDX-License-Identifier: Apache-2.0
"""The TokenReview webhook over TLS: it holds an account that may only validate tokens, and no database."""

from __future__ import annotations

from hypernetes.standalone import addresses
from hypernetes.standalone import ini
from hypernetes.standalone import machine
from hypernetes.standalone import probes
from hypernetes.standalone import wsgi
from hypernetes.standalone.component import Component
from hypernetes.standalone.components import identity
from hypernetes.standalone.installation import Installation

NAME = "hypernetes-webhook"


def configuration(installation: Installation) -> ini.Sections:
    """The webhook's options."""
    # The webhook knows the options of this plugin only.
    return {"webhook": {**identity.credentials(installation, "hypernetes-validator"), "auth_type": "v3password"}}


def start(installation: Installation) -> None:
    """Configure it and start it under uWSGI."""
    path = installation.layout.service(NAME) / "hypernetes.conf"
    machine.write(path, ini.render(configuration(installation)), mode=0o600)
    tls = installation.layout.tls
    service = wsgi.Service(
        name=NAME,
        module="hypernetes.wsgi.webhook:init_application()",
        port=addresses.WEBHOOK_PORT,
        processes=1,
        threads=8,
        certificate=(tls / f"{NAME}.crt", tls / f"{NAME}.key"),
        environment={"OS_HYPERNETES_CONFIG_FILES": str(path)},
        files=[path, *installation.layout.sources()],
    )
    installation.control.apply(wsgi.program(installation, service))


def ready(installation: Installation) -> bool:
    """Whether its health check answers."""
    return probes.answers(f"{addresses.WEBHOOK_URL}/healthcheck", authority=installation.layout.ca_certificate)


COMPONENT = Component(
    name=NAME,
    summary="the apiservers' TokenReview webhook",
    needs=("supervisor", "tls", "memcached", "identity"),
    start=start,
    ready=ready,
)
