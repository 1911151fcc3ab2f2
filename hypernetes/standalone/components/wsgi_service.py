# SPDX-License-Identifier: Apache-2.0
"""The common part of the components of Hypernetes' WSGI services: configuration file, process, readiness."""

from __future__ import annotations

from collections.abc import Callable

from hypernetes.standalone import ini
from hypernetes.standalone import machine
from hypernetes.standalone import probes
from hypernetes.standalone import wsgi
from hypernetes.standalone.component import Component
from hypernetes.standalone.components import proxy
from hypernetes.standalone.installation import Installation


def wsgi_component(
    name: str,
    summary: str,
    *,
    module: str,
    threads: int,
    longest_request: int,
    configuration: Callable[[Installation], ini.Sections],
    needs: tuple[str, ...],
) -> Component:
    """Return the component of a service behind the proxy.

    :param module: WSGI callable as uWSGI's option ``module`` names it.
    :param longest_request: seconds after which a process that has not answered is ended.
    :param configuration: returns the service's options.
    :param needs: components beside the supervisor.
    """

    def start(installation: Installation) -> None:
        path = installation.layout.service(name) / "hypernetes.conf"
        machine.write(path, ini.render(configuration(installation)), mode=0o600)
        service = wsgi.Service(
            name=name,
            module=module,
            socket=proxy.socket(installation, name),
            processes=1,
            threads=threads,
            longest_request=longest_request,
            environment={"OS_HYPERNETES_CONFIG_FILES": str(path)},
            files=[path, *installation.layout.sources()],
        )
        installation.control.apply(wsgi.program(installation, service))

    def ready(installation: Installation) -> bool:
        return probes.answers_at(proxy.socket(installation, name), "/healthcheck")

    return Component(name=name, summary=summary, needs=("supervisor", *needs), start=start, ready=ready)
