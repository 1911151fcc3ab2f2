# SPDX-License-Identifier: Apache-2.0
"""The plug driver: a few verbs between a Neutron port and the node's network, and nothing else knows the backend."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Plug:
    """A port as it is to be plugged."""

    sandbox_id: str
    port_id: str
    """Neutron's id of the port: what the backend finds it by."""
    tap: str
    """Name of the TAP device in the node's network namespace."""
    mac_address: str
    mtu: int


class PlugFailed(Exception):
    """The backend refused, or did not connect the port in time. It may be tried again."""


class PlugDriver(Protocol):
    """Connects TAP devices to the network. Every verb may be repeated, also after it was killed half-way."""

    def plug(self, port: Plug) -> None:
        """Make the TAP device and connect it; returns when packets flow by the port's rules.

        :raises PlugFailed: it did not happen before the driver's deadline.
        """

    def unplug(self, tap: str) -> None:
        """Disconnect the device and delete it; one that is gone is fine.

        :raises PlugFailed: the backend does not answer.
        """

    def devices(self) -> dict[str, str]:
        """Every device of ours, connected or left half-way, with the sandbox it was made for.

        :raises PlugFailed: the backend does not answer.
        """

    def check(self, port: Plug) -> None:
        """Make sure that the port is as :meth:`plug` left it.

        :raises PlugFailed: it is not.
        """

    def ping(self) -> None:
        """Make sure that new ports could be plugged.

        :raises PlugFailed: they could not.
        """
