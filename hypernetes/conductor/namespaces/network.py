# SPDX-License-Identifier: Apache-2.0
"""The namespace's network, subnet, router interface and security group: made, and deleted by their recorded IDs."""

from hypernetes.conductor import dependencies as context
from hypernetes.conductor.namespaces import state
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import records
from hypernetes.model import subnets
from hypernetes.openstack.neutron import namespace as neutron
from hypernetes.openstack.neutron import records as neutron_records


def ensure_network(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """Record the tenant's own network, which must be the project's, or create one."""
    networks = dependencies.cloud.networks(namespace.project_id)
    if namespace.network_id is not None:
        if namespace.kubernetes_uid is not None and networks.network(namespace.network_id) is None:
            reason = f"the namespace's network {namespace.network_id} was deleted; delete the namespace"
            raise errors.Refused(service="Neutron", reason=reason)
        return namespace
    if namespace.requested_network_id is not None:
        service_subnet = dependencies.db.clusters.get(namespace.cluster_id).service_subnet
        found = _usable_network(networks, namespace.requested_network_id, service_subnet)
    else:
        found = networks.ensure_network(namespace.id, namespace.name)
    return dependencies.db.namespaces.observe(namespace.id, network_id=found.id)


def _usable_network(
    networks: neutron.NamespaceNetworking, network_id: ids.NetworkId, service_subnet: str
) -> neutron_records.Network:
    """Return the tenant's own network.

    :raises errors.NetworkUnusable: when pods cannot use it.
    """
    found = networks.network(network_id)
    if found is None:
        raise errors.NetworkUnusable(id=network_id, reason="the project has no such network")
    if not found.port_security and networks.has_port_security_extension():
        reason = (
            "its port security is disabled, so that no security group would isolate its pods; "
            "enable it (openstack network set --enable-port-security) or choose another network"
        )
        raise errors.NetworkUnusable(id=network_id, reason=reason)
    subnet = networks.first_subnet(network_id)
    if subnet is None:
        raise errors.NetworkUnusable(id=network_id, reason="it has no IPv4 subnet")
    if obstacle := subnets.obstacle(subnet.cidr, service_subnet):
        raise errors.NetworkUnusable(id=network_id, reason=f"its subnet {subnet.cidr} {obstacle}")
    return found


def delete_network(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """Delete the network; a tenant's own is kept."""
    if namespace.requested_network_id is None and namespace.network_id is not None:
        dependencies.cloud.networks(namespace.project_id).delete_network(namespace.network_id)
        return dependencies.db.namespaces.observe(namespace.id, network_id=None)
    return namespace


def ensure_subnet(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """Record the first subnet of the tenant's own network, or create one: the requested CIDR or the pool's next."""
    if namespace.subnet_id is not None:
        return namespace
    networks = dependencies.cloud.networks(namespace.project_id)
    network_id = state.present(namespace.network_id)
    if namespace.requested_network_id is not None:
        subnet = networks.first_subnet(network_id)
        if subnet is None:
            raise errors.NetworkUnusable(id=network_id, reason="it has no IPv4 subnet")
    else:
        pool_id = dependencies.db.projects.get(namespace.project_id).subnet_pool_id
        subnet = networks.ensure_subnet(
            namespace.id,
            namespace.name,
            network_id,
            cidr=namespace.requested_cidr,
            pool_id=state.present(pool_id),
        )
    return dependencies.db.namespaces.observe(namespace.id, subnet_id=subnet.id, subnet_cidr=subnet.cidr)


def delete_subnet(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """Delete the subnet; a tenant's own is kept."""
    if namespace.requested_network_id is None and namespace.subnet_id is not None:
        dependencies.cloud.networks(namespace.project_id).delete_subnet(namespace.subnet_id)
        return dependencies.db.namespaces.observe(namespace.id, subnet_id=None, subnet_cidr=None)
    return namespace


def ensure_router_interface(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """Attach the subnet to the project's router. A tenant's own network is routed by the tenant."""
    if namespace.requested_network_id is not None:
        return namespace
    router_id = state.present(dependencies.db.projects.get(namespace.project_id).router_id)
    if namespace.router_id == router_id:
        return namespace
    networks = dependencies.cloud.networks(namespace.project_id)
    networks.ensure_router_interface(router_id, state.present(namespace.subnet_id))
    return dependencies.db.namespaces.observe(namespace.id, router_id=router_id)


def delete_router_interface(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """Detach the subnet from the project's router."""
    if namespace.requested_network_id is not None:
        return namespace
    router_id = namespace.router_id or dependencies.db.projects.ensure(namespace.project_id).router_id
    if router_id is not None and namespace.subnet_id is not None:
        dependencies.cloud.networks(namespace.project_id).delete_router_interface(router_id, namespace.subnet_id)
    return namespace


def ensure_security_group(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """Create the security group: the namespace's pods reach each other and the outside; nothing else reaches them.

    A tenant may delete the group while no port uses it, and its rules at any time: both are made again.
    """
    group_id = dependencies.cloud.networks(namespace.project_id).ensure_security_group(namespace.id, namespace.name)
    if group_id == namespace.security_group_id:
        return namespace
    return dependencies.db.namespaces.observe(namespace.id, security_group_id=group_id)


def delete_security_group(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """Delete the security group."""
    if namespace.security_group_id is not None:
        dependencies.cloud.networks(namespace.project_id).delete_security_group(namespace.security_group_id)
        return dependencies.db.namespaces.observe(namespace.id, security_group_id=None)
    return namespace
