# SPDX-License-Identifier: Apache-2.0
"""TAP devices of pods' virtual machines."""

import errno
import fcntl
import os
import re
import struct
from pathlib import Path

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from hypernetes.agent import privileged

# linux/if_tun.h
_TUNSETIFF = 0x400454CA
_TUNSETPERSIST = 0x400454CB
_IFF_TAP = 0x0002
_IFF_NO_PI = 0x1000
_IFF_VNET_HDR = 0x4000
_TUN_DEVICE = Path("/dev/net/tun")

_TAP_NAME = re.compile(r"tap[0-9a-f-]{11}")
ALIAS_PREFIX = "hypernetes:"
"""Prefix of the alias of a TAP device, followed by the sandbox's ID: devices without it are never touched."""


def _check(name: str) -> None:
    if not _TAP_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a pod's TAP device")


@privileged.context.entrypoint
def create(name: str, mtu: int, alias: str) -> None:
    """Create a persistent TAP device for a virtual machine and set it up; an existing one is only corrected.

    The host has no address on it and IPv6 is off, so that a tenant cannot reach the node through it.

    :param alias: the sandbox it belongs to, with :data:`ALIAS_PREFIX`.
    :raises OSError: when the kernel refuses.
    """
    _check(name)
    _make_persistent(name)
    Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
    with IPRoute() as netlink:
        index = netlink.link_lookup(ifname=name)[0]
        netlink.link("set", index=index, mtu=mtu, ifalias=alias, state="up")


def _make_persistent(name: str) -> None:
    descriptor = os.open(_TUN_DEVICE, os.O_RDWR | os.O_CLOEXEC)
    try:
        # The shim opens the device with the same flags; with others the kernel refuses it.
        request = struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR)
        fcntl.ioctl(descriptor, _TUNSETIFF, request)
        fcntl.ioctl(descriptor, _TUNSETPERSIST, 1)
    except OSError as error:
        # A virtual machine holds it already, so it exists and persists.
        if error.errno != errno.EBUSY:
            raise
    finally:
        os.close(descriptor)


@privileged.context.entrypoint
def delete(name: str) -> None:
    """Delete a pod's TAP device, even while a virtual machine holds it; does nothing if it is gone.

    One without the alias is another service's, for instance nova-compute's, which names its devices alike; it stays.
    """
    _check(name)
    with IPRoute() as netlink:
        for link in netlink.get_links(ifname=name):
            if not (link.get_attr("IFLA_IFALIAS") or "").startswith(ALIAS_PREFIX):
                continue
            try:
                netlink.link("del", index=link["index"])
            except NetlinkError as error:
                if error.code != errno.ENODEV:
                    raise


@privileged.context.entrypoint
def list_all() -> dict[str, str]:
    """Return the pods' TAP devices with the IDs of their sandboxes."""
    taps: dict[str, str] = {}
    with IPRoute() as netlink:
        for link in netlink.get_links():
            name = link.get_attr("IFLA_IFNAME") or ""
            alias = link.get_attr("IFLA_IFALIAS") or ""
            if _TAP_NAME.fullmatch(name) and alias.startswith(ALIAS_PREFIX):
                taps[name] = alias.removeprefix(ALIAS_PREFIX)
    return taps
