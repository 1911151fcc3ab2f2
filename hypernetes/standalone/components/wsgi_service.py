# SPDX-License-Identifier: Apache-2.0
"""The common part of the components of Hypernetes' WSGI services: configuration file, TLS, process, readiness."""

from __future__ import annotations

from collections.abc import Callable

from hypernetes.standalone import addresses
from hypernetes.standalone import ini
from hypernetes.standalone import machine
from hypernetes.standalone import probes
from hypernetes.standalone import wsgi
from hypernetes.standalone.component import Component
from hypernetes.standalone.installation import Installation


def wsgi_component(
    name: str,
    summary: str,
    *,
    module: str,
    port: int,
    configuration: Callable[[Installation], ini.Sections],
    needs: tuple[str, ...],
) -> Component:
    """Return the component of a service that listens with TLS on the control address.

    :param module: WSGI callable as uWSGI's option ``module`` names it.
    :param configuration: returns the service's options.
    :param needs: components beside the supervisor and the CA.
    """

    def start(installation: Installation) -> None:
        path = installation.layout.service(name) / "hypernetes.conf"
        machine.write(path, ini.render(configuration(installation)), mode=0o600)
        tls = installation.layout.tls
        service = wsgi.Service(
            name=name,
            module=module,
            port=port,
            processes=1,
            threads=8,
            certificate=(tls / f"{name}.crt", tls / f"{name}.key"),
            environment={"OS_HYPERNETES_CONFIG_FILES": str(path)},
            files=[path, *installation.layout.sources()],
        )
        installation.control.apply(wsgi.program(installation, service))

    def ready(installation: Installation) -> bool:
        url = f"https://{addresses.CONTROL}:{port}/healthcheck"
        return probes.answers(url, ca_file=installation.layout.ca_certificate)

    return Component(name=name, summary=summary, needs=("supervisor", "tls", *needs), start=start, ready=ready)
