# SPDX-License-Identifier: Apache-2.0
"""What a command works with: the service's proxy and the cloud's connection."""

from typing import Any
from typing import cast

from osc_lib.command import command

from hypernetes.sdk import proxy


def kube(asked: command.Command) -> proxy.Proxy:
    """The service. osc_lib makes the attribute by the plugin's name, so no type checker knows it."""
    return cast(proxy.Proxy, cast(Any, asked).app.client_manager.kube)


def connection(asked: command.Command) -> Any:
    """openstacksdk's connection."""
    return cast(Any, asked).app.client_manager.sdk_connection
