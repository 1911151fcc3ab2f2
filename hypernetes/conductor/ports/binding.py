# SPDX-License-Identifier: Apache-2.0
"""What a pod requests of its port, and what its node receives of it. No I/O."""

import ipaddress

from hypernetes.kubernetes import resources
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import labels
from hypernetes.model import records
from hypernetes.openstack.neutron import records as neutron
from hypernetes.rpc import messages

SERVICE = "The conductor"


def requested_address(pod: resources.Pod, namespace: records.Namespace) -> str | None:
    """Return the address that a pod requests by annotation, in the form Neutron writes it; None if it requests none.

    :raises errors.Refused: it is not an address, or not in the namespace's subnet.
    """
    annotations = (pod.metadata.annotations if pod.metadata else None) or {}
    wanted = annotations.get(labels.ADDRESS_ANNOTATION)
    if wanted is None:
        return None
    try:
        address = ipaddress.ip_address(wanted)
    except ValueError as error:
        reason = f"the annotation {labels.ADDRESS_ANNOTATION} holds {wanted[:64]!r}, which is not an IP address"
        raise errors.Refused(service=SERVICE, reason=reason) from error
    if namespace.subnet_cidr is not None and address not in ipaddress.ip_network(namespace.subnet_cidr):
        reason = f"the address {address} is not in the namespace's subnet {namespace.subnet_cidr}"
        raise errors.Refused(service=SERVICE, reason=reason)
    return str(address)


def port_binding(
    namespace_id: ids.NamespaceId, port: neutron.Port, network: neutron.Network, subnets: list[neutron.Subnet]
) -> messages.PortBinding:
    """Return what a node must know of a port: its addresses with the subnets' prefix lengths, and their routes."""
    by_id = {subnet.id: subnet for subnet in subnets}
    addresses: list[str] = []
    routes: list[messages.Route] = []
    name_servers: list[str] = []
    for subnet_id, address in port.addresses:
        subnet = by_id[subnet_id]
        addresses.append(f"{address}/{ipaddress.ip_network(subnet.cidr).prefixlen}")
        everywhere = "0.0.0.0/0" if subnet.ip_version == 4 else "::/0"
        if subnet.gateway is not None:
            routes.append(messages.Route(destination=everywhere, gateway=subnet.gateway))
        routes.extend(messages.Route(destination=to, gateway=via) for to, via in subnet.host_routes)
        name_servers.extend(server for server in subnet.name_servers if server not in name_servers)
    return messages.PortBinding(
        port_id=port.id,
        namespace_id=namespace_id,
        mac_address=port.mac_address,
        mtu=network.mtu,
        addresses=tuple(addresses),
        routes=tuple(routes),
        name_servers=tuple(name_servers),
    )
