# SPDX-License-Identifier: Apache-2.0
"""Registers the service on an openstacksdk connection, which then has the attribute ``kubernetes``."""

from typing import Any

from openstack import service_description

from hypernetes.sdk import proxy

SERVICE_TYPE = "kubernetes"


def description() -> Any:
    """Return what ``Connection.add_service`` takes."""
    return service_description.ServiceDescription(SERVICE_TYPE, supported_versions={"1": proxy.Proxy})


def register(connection: Any) -> None:
    """Add the service to a connection.

    clouds.yaml calls it with ``vendor_hook: hypernetes.sdk.service:register``.
    """
    connection.add_service(description())
