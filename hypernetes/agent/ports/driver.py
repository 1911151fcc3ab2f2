# SPDX-License-Identifier: Apache-2.0
"""The interface between Neutron ports and the node's network; only its drivers know the backend."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Plug:
    """A port to be plugged."""

    sandbox_id: str
    port_id: str
    """Neutron's id of the port: what the backend finds it by."""
    tap: str
    """Name of the TAP device in the node's network namespace."""
    mac_address: str
    mtu: int


class PlugFailed(Exception):
    """The backend refused, or did not connect the port in time. The call may be retried."""


class PlugDriver(Protocol):
    """Connects TAP devices to the network. Every method may be repeated, even after it was killed half-way."""

    def plug(self, port: Plug) -> None:
        """Create the TAP device and connect it; return when packets flow by the port's rules.

        :raises PlugFailed: when that did not happen before the driver's deadline.
        """

    def unplug(self, tap: str) -> None:
        """Disconnect and delete the device; does nothing if it is gone.

        :raises PlugFailed: when the backend does not answer.
        """

    def devices(self) -> dict[str, str]:
        """Return every pod's device, connected or not, with the ID of its sandbox.

        :raises PlugFailed: when the backend does not answer.
        """

    def check(self, port: Plug) -> None:
        """Check that the port is as :meth:`plug` left it.

        :raises PlugFailed: when it is not.
        """

    def ping(self) -> None:
        """Check that new ports can be plugged.

        :raises PlugFailed: when they cannot.
        """
