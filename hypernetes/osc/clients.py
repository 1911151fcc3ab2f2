# SPDX-License-Identifier: Apache-2.0
"""What a command works with: the service's proxy, the cloud's connection and the roles of its login."""

from typing import Any
from typing import cast

from osc_lib.command import command as osc

from hypernetes.sdk import proxy


def kube(command: osc.Command) -> proxy.Proxy:
    """Return the service's proxy."""
    # osc_lib makes the attribute from the plugin's name, so no type checker knows it.
    return cast(proxy.Proxy, cast(Any, command).app.client_manager.kube)


def connection(command: osc.Command) -> Any:
    """Return openstacksdk's connection."""
    return cast(Any, command).app.client_manager.sdk_connection


def role_names(command: osc.Command) -> tuple[str, ...] | None:
    """Return the roles that the login has in its project, or None if it does not say."""
    login = cast(Any, command).app.client_manager.auth_ref
    return None if login is None else tuple(login.role_names)
