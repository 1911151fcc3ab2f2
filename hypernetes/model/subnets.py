# SPDX-License-Identifier: Apache-2.0
"""Which subnets pods can work in."""

import ipaddress

_LONGEST_PREFIX = 28
"""Neutron uses three addresses of a subnet itself; a smaller one has no room for pods."""

_UNUSABLE = tuple(
    ipaddress.IPv4Network(text)
    for text in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "224.0.0.0/4", "240.0.0.0/4")
)
"""Networks that are not for hosts (RFC 6890): this network, loopback, link local, protocols, multicast, reserved."""


def obstacle(cidr: str, service_subnet: str) -> str | None:
    """Return why pods cannot work in a subnet, as the rest of a sentence about it; None if they can."""
    subnet = ipaddress.IPv4Network(cidr)
    if subnet.prefixlen > _LONGEST_PREFIX:
        return f"is too small, /{_LONGEST_PREFIX} is the smallest"
    if any(subnet.overlaps(other) for other in _UNUSABLE):
        return "is not a network that hosts can have"
    # A guest keeps the Services' addresses to itself, so pods there could not be reached.
    if subnet.overlaps(ipaddress.IPv4Network(service_subnet)):
        return f"overlaps the cluster's service subnet {service_subnet}"
    return None
