# SPDX-License-Identifier: Apache-2.0
"""Plug driver for Open vSwitch under OVN.

OVN finds the port by ``external_ids:iface-id`` on the interface (ovn-controller(8)) and reports the port's flows as
installed by ``external_ids:ovn-installed``.
"""

import json

from oslo_config import cfg

from hypernetes.agent.ports import driver
from hypernetes.agent.privileged import ovs as privileged_ovs
from hypernetes.agent.privileged import tap as privileged_tap

SANDBOX_KEY = "hypernetes-sandbox"
"""Key in the external_ids of a pod's interface, with the sandbox's ID."""


def plug_arguments(bridge: str, port: driver.Plug) -> list[str]:
    """Return the transaction that connects a port. Repeating it changes nothing."""
    external_ids = {
        "iface-id": port.port_id,
        "iface-status": "active",
        "attached-mac": port.mac_address,
        "vm-id": port.sandbox_id,
        SANDBOX_KEY: port.sandbox_id,
    }
    settings = [f"external_ids:{key}={json.dumps(value)}" for key, value in external_ids.items()]
    return [
        *("--", "--may-exist", "add-port", bridge, port.tap),
        *("--", "set", "Interface", port.tap, *settings),
    ]


def interfaces(text: str) -> dict[str, str]:
    """Return name and sandbox of the interfaces in the JSON table that ``find`` prints (ovs-vsctl(8), RFC 7047 5.1)."""
    table = json.loads(text)
    name, external_ids = table["headings"].index("name"), table["headings"].index("external_ids")
    return {row[name]: dict(row[external_ids][1])[SANDBOX_KEY] for row in table["data"]}


class OvsDriver:
    """Ports as TAP devices on the integration bridge."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._connection: str = conf.node.ovsdb_connection
        self._bridge: str = conf.node.integration_bridge
        self._timeout: float = conf.node.ovsdb_timeout
        self._plug_timeout: float = conf.node.plug_timeout

    def plug(self, port: driver.Plug) -> None:
        try:
            privileged_tap.create(port.tap, port.mtu, privileged_tap.ALIAS_PREFIX + port.sandbox_id)
        except OSError as error:
            raise driver.PlugFailed(f"the kernel refuses the device {port.tap}: {error}") from error
        self._transact(plug_arguments(self._bridge, port))
        try:
            # ovs-vsctl follows the database's updates meanwhile; nothing is polled.
            privileged_ovs.vsctl(
                self._connection,
                self._plug_timeout,
                ["wait-until", "Interface", port.tap, "external_ids:ovn-installed=true"],
            )
        except RuntimeError as error:
            raise driver.PlugFailed(
                f"OVN has not installed the flows of port {port.port_id} within {self._plug_timeout:g} s ({error})"
            ) from error

    def unplug(self, tap: str) -> None:
        self._transact(["--", "--if-exists", "del-port", self._bridge, tap])
        try:
            privileged_tap.delete(tap)
        except OSError as error:
            raise driver.PlugFailed(f"the kernel keeps the device {tap}: {error}") from error

    def devices(self) -> dict[str, str]:
        found = interfaces(
            self._transact(
                ["--columns=name,external_ids", "find", "Interface", f'external_ids:{SANDBOX_KEY}!=""'],
            )
        )
        # A device without its port is what a kill between the two leaves.
        taps: dict[str, str] = privileged_tap.list_all()
        return taps | found

    def check(self, port: driver.Plug) -> None:
        """Check that the port is as :meth:`plug` left it.

        :raises driver.PlugFailed: when it is not.
        """
        if port.tap not in privileged_tap.list_all():
            raise driver.PlugFailed(f"the device {port.tap} is gone")
        if self.devices().get(port.tap) != port.sandbox_id:
            raise driver.PlugFailed(f"the device {port.tap} is not connected for this sandbox")

    def ping(self) -> None:
        """Check that the integration bridge exists.

        :raises driver.PlugFailed: when it does not exist, or Open vSwitch does not answer.
        """
        self._transact(["br-exists", self._bridge])

    def _transact(self, arguments: list[str]) -> str:
        try:
            return str(privileged_ovs.vsctl(self._connection, self._timeout, arguments))
        except RuntimeError as error:
            raise driver.PlugFailed(str(error)) from error
