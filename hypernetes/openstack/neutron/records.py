# SPDX-License-Identifier: Apache-2.0
"""Records of networks, subnets and ports, read from openstacksdk's objects."""

from dataclasses import dataclass
from typing import Any

from hypernetes.model import ids


@dataclass(frozen=True, slots=True)
class Network:
    """A network: the fields that Hypernetes uses."""

    id: ids.NetworkId
    project_id: ids.ProjectId
    mtu: int
    subnet_ids: tuple[ids.SubnetId, ...]
    port_security: bool
    """Whether new ports on it have port security; False also where Neutron has no such extension."""


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet: the fields that Hypernetes uses."""

    id: ids.SubnetId
    network_id: ids.NetworkId
    cidr: str
    ip_version: int
    gateway: str | None
    host_routes: tuple[tuple[str, str], ...] = ()
    """Pairs of destination and next hop."""
    name_servers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Port:
    """A port: the fields that Hypernetes uses."""

    id: ids.NeutronPortId
    project_id: ids.ProjectId
    network_id: ids.NetworkId
    mac_address: str
    addresses: tuple[tuple[ids.SubnetId, str], ...]
    """Pairs of subnet and address."""
    host: str | None
    device_id: str


def read_network(item: Any) -> Network:
    return Network(
        id=ids.NetworkId(item.id),
        project_id=ids.ProjectId(item.project_id),
        mtu=int(item.mtu or 1500),
        subnet_ids=tuple(ids.SubnetId(subnet) for subnet in item.subnet_ids or ()),
        port_security=item.is_port_security_enabled,
    )


def read_subnet(item: Any) -> Subnet:
    return Subnet(
        id=ids.SubnetId(item.id),
        network_id=ids.NetworkId(item.network_id),
        cidr=item.cidr,
        ip_version=item.ip_version,
        gateway=item.gateway_ip,
        host_routes=tuple((route["destination"], route["nexthop"]) for route in item.host_routes or ()),
        name_servers=tuple(item.dns_nameservers or ()),
    )


def read_port(item: Any) -> Port:
    return Port(
        id=ids.NeutronPortId(item.id),
        project_id=ids.ProjectId(item.project_id),
        network_id=ids.NetworkId(item.network_id),
        mac_address=item.mac_address,
        addresses=tuple((ids.SubnetId(fixed["subnet_id"]), fixed["ip_address"]) for fixed in item.fixed_ips or ()),
        host=item.binding_host_id,
        device_id=item.device_id or "",
    )
