# SPDX-License-Identifier: Apache-2.0
"""Adopts and deletes what an interrupted run or a late answer of Neutron has left without a record."""

from typing import Any

from hypernetes.conductor import dependencies as context
from hypernetes.model import records


def adopt_orphans(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """Record what an interrupted run made but did not record, so that it is deleted by its recorded ID."""
    if not dependencies.db.projects.ensure(namespace.project_id).member_granted:
        # Nothing can have been made there without the membership.
        return namespace
    networks = dependencies.cloud.networks(namespace.project_id)
    seen: dict[str, Any] = {}
    if namespace.requested_network_id is None:
        if namespace.network_id is None and (network := networks.find_network(namespace.id)) is not None:
            seen["network_id"] = network.id
        if namespace.subnet_id is None and (subnet := networks.find_subnet(namespace.id)) is not None:
            seen["subnet_id"] = subnet.id
    if namespace.security_group_id is None and (group_id := networks.find_security_group(namespace.id)) is not None:
        seen["security_group_id"] = group_id
    return dependencies.db.namespaces.observe(namespace.id, **seen) if seen else namespace


def delete_duplicates(dependencies: context.Dependencies, namespace: records.Namespace) -> records.Namespace:
    """Delete what was made twice because an answer came too late; the next steps delete what is recorded."""
    if dependencies.db.projects.ensure(namespace.project_id).member_granted:
        kept = (namespace.network_id, namespace.subnet_id, namespace.security_group_id)
        # On a tenant's own network Hypernetes makes nothing but the security group.
        of_networks = namespace.requested_network_id is None
        dependencies.cloud.networks(namespace.project_id).delete_duplicates(namespace.id, kept, of_networks=of_networks)
    return namespace
