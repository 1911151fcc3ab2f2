# SPDX-License-Identifier: Apache-2.0
"""The resources of each namespace: network, subnet, router interface and security group."""

import ipaddress
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from typing import Any

from openstack import exceptions

from hypernetes.model import ids
from hypernetes.openstack import failures
from hypernetes.openstack.neutron import owned
from hypernetes.openstack.neutron import records


class NamespaceNetworking(owned.ProjectScope):
    """The networks of a project's namespaces, with their subnets, router interfaces and security groups."""

    def network(self, network_id: ids.NetworkId) -> records.Network | None:
        """Return a network of the project, or None if the project has none with that ID."""
        with failures.translated(owned.SERVICE):
            found = self._get(self._proxy.get_network, network_id)
        # A shared network of another project is visible too, but does not belong to the tenant.
        return records.read_network(found) if found is not None and found.project_id == self._project_id else None

    def has_port_security_extension(self) -> bool:
        """Tell whether port security can be disabled at all; without the extension security groups always apply."""
        with failures.translated(owned.SERVICE):
            return self._proxy.find_extension("port-security", ignore_missing=True) is not None

    def find_network(self, record_id: ids.NamespaceId) -> records.Network | None:
        """Return the network created for a namespace whose network ID was not recorded, or None."""
        mark = self._mark("namespace", record_id)
        with failures.translated(owned.SERVICE):
            found = self._first_created(self._proxy.networks(project_id=self._project_id, description=mark))
            return records.read_network(found) if found is not None else None

    def ensure_network(self, record_id: ids.NamespaceId, name: str) -> records.Network:
        """Return the namespace's network; create it if it does not exist."""
        found = self.find_network(record_id)
        if found is not None:
            return found
        with failures.translated(owned.SERVICE):
            mark = self._mark("namespace", record_id)
            return records.read_network(self._proxy.create_network(name=f"hypernetes-{name}", description=mark))

    def subnet(self, subnet_id: ids.SubnetId) -> records.Subnet | None:
        """Return a subnet of the project, or None."""
        with failures.translated(owned.SERVICE):
            found = self._get(self._proxy.get_subnet, subnet_id)
        return records.read_subnet(found) if found is not None else None

    def first_subnet(self, network_id: ids.NetworkId) -> records.Subnet | None:
        """Return the oldest IPv4 subnet of a network that a user provided, or None."""
        with failures.translated(owned.SERVICE):
            query = self._proxy.subnets(project_id=self._project_id, network_id=network_id, ip_version=4)
            found = self._first_created(query)
            return records.read_subnet(found) if found is not None else None

    def find_subnet(self, record_id: ids.NamespaceId) -> records.Subnet | None:
        """Return the subnet created for a namespace whose subnet ID was not recorded, or None."""
        mark = self._mark("namespace", record_id)
        with failures.translated(owned.SERVICE):
            found = self._first_created(self._proxy.subnets(project_id=self._project_id, description=mark))
            return records.read_subnet(found) if found is not None else None

    def ensure_subnet(
        self,
        record_id: ids.NamespaceId,
        name: str,
        network_id: ids.NetworkId,
        *,
        cidr: str | None,
        pool_id: ids.SubnetPoolId,
    ) -> records.Subnet:
        """Return the namespace's subnet; create it with ``cidr``, or the next prefix of the project's pool."""
        found = self.find_subnet(record_id)
        if found is not None and found.network_id == network_id:
            return found
        source: dict[str, Any] = {"cidr": cidr} if cidr else {}
        # A CIDR within the pool is allocated from the pool, so that the pool does not allocate it again.
        if cidr is None or self._in_pool(cidr):
            source["subnet_pool_id"] = pool_id
        with failures.translated(owned.SERVICE):
            created = self._proxy.create_subnet(
                name=f"hypernetes-{name}",
                description=self._mark("namespace", record_id),
                network_id=network_id,
                ip_version=4,
                dns_nameservers=list(self._options.name_servers),
                **source,
            )
            return records.read_subnet(created)

    def _in_pool(self, cidr: str) -> bool:
        wanted = ipaddress.ip_network(cidr)
        pools = [ipaddress.ip_network(prefix) for prefix in self._options.default_pool_prefixes]
        return any(isinstance(pool, type(wanted)) and wanted.subnet_of(pool) for pool in pools)  # type: ignore[arg-type]

    def ensure_router_interface(self, router_id: ids.RouterId, subnet_id: ids.SubnetId) -> None:
        """Attach a subnet to the project's router."""
        with failures.translated(owned.SERVICE):
            ports = self._proxy.ports(
                project_id=self._project_id, device_id=router_id, fixed_ips=f"subnet_id={subnet_id}"
            )
            if self._first_created(ports) is None:
                self._proxy.add_interface_to_router(router_id, subnet_id)

    def delete_duplicates(self, record_id: ids.NamespaceId, kept: Collection[str | None], *, of_networks: bool) -> None:
        """Delete what was created for a namespace, except ``kept``; a late response causes duplicates.

        :param of_networks: delete networks and subnets too, not only security groups.
        """
        mark = self._mark("namespace", record_id)
        with failures.translated(owned.SERVICE):
            proxy = self._proxy
            kinds: list[tuple[Callable[..., Iterable[Any]], Callable[..., None]]] = [
                (proxy.security_groups, proxy.delete_security_group)
            ]
            if of_networks:
                kinds += [(proxy.subnets, proxy.delete_subnet), (proxy.networks, proxy.delete_network)]
            for listed, delete in kinds:
                self._delete_others(listed, delete, mark, kept)

    def delete_router_interface(self, router_id: ids.RouterId, subnet_id: ids.SubnetId) -> None:
        """Detach a subnet from the project's router. Idempotent."""
        with failures.translated(owned.SERVICE):
            try:
                self._proxy.remove_interface_from_router(router_id, subnet_id)
            except exceptions.NotFoundException:
                return

    def find_security_group(self, record_id: ids.NamespaceId) -> ids.SecurityGroupId | None:
        """Return the security group created for a namespace whose group ID was not recorded, or None."""
        mark = self._mark("namespace", record_id)
        with failures.translated(owned.SERVICE):
            found = self._first_created(self._proxy.security_groups(project_id=self._project_id, description=mark))
            return ids.SecurityGroupId(found.id) if found is not None else None

    def ensure_security_group(self, record_id: ids.NamespaceId, name: str) -> ids.SecurityGroupId:
        """Return the namespace's security group; create it and the rules it lacks.

        It allows all traffic within the namespace and all egress. Neutron creates a group with the egress rules; the
        ingress rules from the group itself are created here.
        """
        group_id = self.find_security_group(record_id)
        with failures.translated(owned.SERVICE):
            if group_id is None:
                mark = self._mark("namespace", record_id)
                created = self._proxy.create_security_group(name=f"hypernetes-{name}", description=mark)
                group_id = ids.SecurityGroupId(created.id)
            rules = self._proxy.security_group_rules(
                project_id=self._project_id, security_group_id=group_id, direction="ingress"
            )
            there = {rule.ether_type for rule in rules if rule.remote_group_id == group_id}
            for family in ("IPv4", "IPv6"):
                if family not in there:
                    self._proxy.create_security_group_rule(
                        security_group_id=group_id, direction="ingress", ether_type=family, remote_group_id=group_id
                    )
            return group_id

    def delete_security_group(self, group_id: ids.SecurityGroupId) -> None:
        """Delete the namespace's group; :class:`errors.Refused` while ports use it."""
        with failures.translated(owned.SERVICE):
            self._proxy.delete_security_group(group_id, ignore_missing=True)

    def delete_subnet(self, subnet_id: ids.SubnetId) -> None:
        """Delete the namespace's subnet; :class:`errors.Refused` while addresses of it are in use."""
        with failures.translated(owned.SERVICE):
            self._proxy.delete_subnet(subnet_id, ignore_missing=True)

    def delete_network(self, network_id: ids.NetworkId) -> None:
        """Delete the namespace's network; :class:`errors.Refused` while ports are on it."""
        with failures.translated(owned.SERVICE):
            self._proxy.delete_network(network_id, ignore_missing=True)
