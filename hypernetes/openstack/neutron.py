# SPDX-License-Identifier: Apache-2.0
"""Networks, routers and security groups in tenants' projects, and pods' ports.

What we make carries a description that names our record (``hypernetes:<kind>:<record id>``), given in the request that
creates it, so that what a killed conductor made but did not record is found again. Tenants can write descriptions
too: every such look-up filters by the project, and nothing of another project is ever deleted by its mark.

Errors are those of :func:`hypernetes.openstack.failures.translated`; a missing object is None or done, not an error.
"""

import ipaddress
from collections.abc import Collection
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from openstack import exceptions
from oslo_config import cfg

from hypernetes.model import ids
from hypernetes.model import names
from hypernetes.openstack import failures
from hypernetes.openstack import session as sessions

_SERVICE = "Neutron"


@dataclass(frozen=True, slots=True)
class Network:
    """A network as far as we care."""

    id: ids.NetworkId
    project_id: ids.ProjectId
    mtu: int
    subnet_ids: tuple[ids.SubnetId, ...]


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet as far as we care."""

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
    """A port as far as we care."""

    id: ids.NeutronPortId
    project_id: ids.ProjectId
    network_id: ids.NetworkId
    mac_address: str
    addresses: tuple[tuple[ids.SubnetId, str], ...]
    """Pairs of subnet and address."""
    host: str | None
    device_id: str


def owner_mark(kind: str, record_id: str) -> str:
    """The description by which we find what we made for a record."""
    return f"hypernetes:{kind}:{record_id}"


class ProjectNetworks:
    """What we make in one project as a member of it. Every ``ensure_`` finds or creates; ``delete_`` repeats safely."""

    def __init__(self, conf: cfg.ConfigOpts, opened: sessions.Sessions, project_id: ids.ProjectId) -> None:
        self._options = conf.openstack
        self._sessions = opened
        self._project_id = project_id

    @property
    def _proxy(self) -> Any:
        return self._sessions.project(self._project_id).network

    # ---- once for each project --------------------------------------------------------------------------

    def find_router(self) -> ids.RouterId | None:
        """The router made for the project, whether its id was recorded or not."""
        mark = owner_mark("project", self._project_id)
        with failures.translated(_SERVICE):
            found = self._oldest(self._proxy.routers(project_id=self._project_id, description=mark))
            return ids.RouterId(found.id) if found is not None else None

    def ensure_router(self) -> ids.RouterId:
        """The project's router, with the external gateway where one is configured."""
        found = self.find_router()
        if found is not None:
            return found
        gateway = self._options.external_network_id
        extra = {"external_gateway_info": {"network_id": gateway}} if gateway else {}
        mark = owner_mark("project", self._project_id)
        with failures.translated(_SERVICE):
            return ids.RouterId(self._proxy.create_router(name="hypernetes", description=mark, **extra).id)

    def find_subnet_pool(self) -> ids.SubnetPoolId | None:
        """The pool made for the project, whether its id was recorded or not."""
        mark = owner_mark("project", self._project_id)
        with failures.translated(_SERVICE):
            found = self._oldest(self._proxy.subnet_pools(project_id=self._project_id, description=mark))
            return ids.SubnetPoolId(found.id) if found is not None else None

    def ensure_subnet_pool(self) -> ids.SubnetPoolId:
        """The pool from which the project's namespaces get their addresses, so that they never overlap."""
        found = self.find_subnet_pool()
        if found is not None:
            return found
        with failures.translated(_SERVICE):
            created = self._proxy.create_subnet_pool(
                name="hypernetes",
                description=owner_mark("project", self._project_id),
                prefixes=list(self._options.default_pool_prefixes),
                default_prefix_length=self._options.default_prefix_length,
            )
            return ids.SubnetPoolId(created.id)

    def has_router(self, router_id: ids.RouterId) -> bool:
        """Whether the router is there; tenants can delete it."""
        with failures.translated(_SERVICE):
            return self._get(self._proxy.get_router, router_id) is not None

    def has_subnet_pool(self, pool_id: ids.SubnetPoolId) -> bool:
        """Whether the pool is there; tenants can delete it."""
        with failures.translated(_SERVICE):
            return self._get(self._proxy.get_subnet_pool, pool_id) is not None

    def delete_router(self, router_id: ids.RouterId) -> None:
        """Delete the project's router; :class:`errors.Refused` while something is attached to it."""
        with failures.translated(_SERVICE):
            self._proxy.delete_router(router_id, ignore_missing=True)

    def delete_subnet_pool(self, pool_id: ids.SubnetPoolId) -> None:
        """Delete the project's pool; :class:`errors.Refused` while subnets come from it."""
        with failures.translated(_SERVICE):
            self._proxy.delete_subnet_pool(pool_id, ignore_missing=True)

    # ---- once for each namespace ------------------------------------------------------------------------

    def network(self, network_id: ids.NetworkId) -> Network | None:
        """A network of the project, or None if it has none with that id."""
        with failures.translated(_SERVICE):
            found = self._get(self._proxy.get_network, network_id)
        # A shared network of another project is visible too, and not the tenant's to hand us.
        return _network(found) if found is not None and found.project_id == self._project_id else None

    def find_network(self, record_id: ids.NamespaceId) -> Network | None:
        """The network made for a namespace whose network id was not recorded, or None."""
        mark = owner_mark("namespace", record_id)
        with failures.translated(_SERVICE):
            found = self._oldest(self._proxy.networks(project_id=self._project_id, description=mark))
            return _network(found) if found is not None else None

    def ensure_network(self, record_id: ids.NamespaceId, name: str) -> Network:
        """The namespace's network."""
        found = self.find_network(record_id)
        if found is not None:
            return found
        with failures.translated(_SERVICE):
            mark = owner_mark("namespace", record_id)
            return _network(self._proxy.create_network(name=f"hypernetes-{name}", description=mark))

    def subnet(self, subnet_id: ids.SubnetId) -> Subnet | None:
        """A subnet of the project, or None."""
        with failures.translated(_SERVICE):
            found = self._get(self._proxy.get_subnet, subnet_id)
        return _subnet(found) if found is not None else None

    def first_subnet(self, network_id: ids.NetworkId) -> Subnet | None:
        """The oldest IPv4 subnet of a network, for networks that users bring along."""
        with failures.translated(_SERVICE):
            query = self._proxy.subnets(project_id=self._project_id, network_id=network_id, ip_version=4)
            found = self._oldest(query)
            return _subnet(found) if found is not None else None

    def find_subnet(self, record_id: ids.NamespaceId) -> Subnet | None:
        """The subnet made for a namespace whose subnet id was not recorded, or None."""
        mark = owner_mark("namespace", record_id)
        with failures.translated(_SERVICE):
            found = self._oldest(self._proxy.subnets(project_id=self._project_id, description=mark))
            return _subnet(found) if found is not None else None

    def ensure_subnet(
        self,
        record_id: ids.NamespaceId,
        name: str,
        network_id: ids.NetworkId,
        *,
        cidr: str | None,
        pool_id: ids.SubnetPoolId,
    ) -> Subnet:
        """The namespace's subnet: ``cidr``, or the next prefix of the project's pool."""
        found = self.find_subnet(record_id)
        if found is not None and found.network_id == network_id:
            return found
        source: dict[str, Any] = {"cidr": cidr} if cidr else {}
        # A CIDR within the pool is taken from the pool, so that the pool does not give it out again.
        if cidr is None or self._in_pool(cidr):
            source["subnet_pool_id"] = pool_id
        with failures.translated(_SERVICE):
            created = self._proxy.create_subnet(
                name=f"hypernetes-{name}",
                description=owner_mark("namespace", record_id),
                network_id=network_id,
                ip_version=4,
                dns_nameservers=list(self._options.name_servers),
                **source,
            )
            return _subnet(created)

    def _in_pool(self, cidr: str) -> bool:
        wanted = ipaddress.ip_network(cidr)
        pools = [ipaddress.ip_network(prefix) for prefix in self._options.default_pool_prefixes]
        return any(isinstance(pool, type(wanted)) and wanted.subnet_of(pool) for pool in pools)  # type: ignore[arg-type]

    def ensure_router_interface(self, router_id: ids.RouterId, subnet_id: ids.SubnetId) -> None:
        """Attach a subnet to the project's router."""
        with failures.translated(_SERVICE):
            ports = self._proxy.ports(
                project_id=self._project_id, device_id=router_id, fixed_ips=f"subnet_id={subnet_id}"
            )
            if self._oldest(ports) is None:
                self._proxy.add_interface_to_router(router_id, subnet_id=subnet_id)

    def delete_copies(self, record_id: ids.NamespaceId, kept: Collection[str | None], *, of_networks: bool) -> None:
        """Delete what was made for a namespace besides ``kept``: a late answer has a thing made twice.

        :param of_networks: networks and subnets, too, not only security groups.
        """
        mark = owner_mark("namespace", record_id)
        with failures.translated(_SERVICE):
            proxy = self._proxy
            kinds = [(proxy.security_groups, proxy.delete_security_group)]
            if of_networks:
                kinds += [(proxy.subnets, proxy.delete_subnet), (proxy.networks, proxy.delete_network)]
            for listed, delete in kinds:
                self._delete_others(listed, delete, mark, kept)

    def delete_project_copies(self, kept: Collection[str | None]) -> None:
        """Delete the routers and the pools made for the project besides ``kept``."""
        mark = owner_mark("project", self._project_id)
        with failures.translated(_SERVICE):
            proxy = self._proxy
            self._delete_others(proxy.routers, proxy.delete_router, mark, kept)
            self._delete_others(proxy.subnet_pools, proxy.delete_subnet_pool, mark, kept)

    def delete_router_interface(self, router_id: ids.RouterId, subnet_id: ids.SubnetId) -> None:
        """Detach a subnet from the project's router; not attached is fine."""
        with failures.translated(_SERVICE):
            try:
                self._proxy.remove_interface_from_router(router_id, subnet_id=subnet_id)
            except exceptions.NotFoundException:
                return

    def find_security_group(self, record_id: ids.NamespaceId) -> ids.SecurityGroupId | None:
        """The group made for a namespace whose group id was not recorded, or None."""
        mark = owner_mark("namespace", record_id)
        with failures.translated(_SERVICE):
            found = self._oldest(self._proxy.security_groups(project_id=self._project_id, description=mark))
            return ids.SecurityGroupId(found.id) if found is not None else None

    def ensure_security_group(self, record_id: ids.NamespaceId, name: str) -> ids.SecurityGroupId:
        """The namespace's security group: everything within the namespace and everything outwards is allowed.

        Neutron gives a new group the rules outwards; the ones inwards from the group itself are ours.
        """
        group_id = self.find_security_group(record_id)
        with failures.translated(_SERVICE):
            if group_id is None:
                mark = owner_mark("namespace", record_id)
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
        with failures.translated(_SERVICE):
            self._proxy.delete_security_group(group_id, ignore_missing=True)

    def delete_subnet(self, subnet_id: ids.SubnetId) -> None:
        """Delete the namespace's subnet; :class:`errors.Refused` while addresses of it are in use."""
        with failures.translated(_SERVICE):
            self._proxy.delete_subnet(subnet_id, ignore_missing=True)

    def delete_network(self, network_id: ids.NetworkId) -> None:
        """Delete the namespace's network; :class:`errors.Refused` while ports are on it."""
        with failures.translated(_SERVICE):
            self._proxy.delete_network(network_id, ignore_missing=True)

    # ---- helpers ----------------------------------------------------------------------------------------

    def _oldest(self, found: Iterable[Any]) -> Any:
        """The oldest of the found objects, so that a copy a tenant made later is never taken for ours."""
        return min(self._ours(found), key=lambda item: (item.created_at or "", item.id), default=None)

    def _ours(self, found: Iterable[Any]) -> list[Any]:
        return [item for item in found if getattr(item, "project_id", self._project_id) == self._project_id]

    def _delete_others(self, listed: Any, delete: Any, mark: str, kept: Collection[str | None]) -> None:
        # All pages first: what is deleted cannot be a page's marker.
        for item in self._ours(listed(project_id=self._project_id, description=mark)):
            # Compared here too: a filter that Neutron did not know would have everything deleted.
            if item.description == mark and item.id not in kept:
                delete(item.id, ignore_missing=True)

    @staticmethod
    def _get(getter: Any, identifier: str) -> Any:
        try:
            return getter(identifier)
        except exceptions.NotFoundException:
            return None


class Ports:
    """Pods' ports, made in the tenants' projects with the role ``service``, which alone may bind them to a host."""

    def __init__(self, opened: sessions.Sessions) -> None:
        self._sessions = opened

    @property
    def _proxy(self) -> Any:
        return self._sessions.service().network

    def ensure(
        self,
        record_id: ids.PortRecordId,
        *,
        project_id: ids.ProjectId,
        network_id: ids.NetworkId,
        subnet_id: ids.SubnetId,
        security_group_id: ids.SecurityGroupId,
        pod_uid: ids.PodUid,
        pod_name: str,
        host: str,
        address: str | None = None,
    ) -> Port:
        """The port of a record, bound to the chassis ``host``; Neutron chooses where no address is asked for."""
        mark = owner_mark("port", record_id)
        fixed = {"subnet_id": subnet_id} if address is None else {"subnet_id": subnet_id, "ip_address": address}
        with failures.translated(_SERVICE):
            found = self.find(record_id, project_id, host)
            if found is None:
                created = self._proxy.create_port(
                    project_id=project_id,
                    network_id=network_id,
                    fixed_ips=[fixed],
                    security_group_ids=[security_group_id],
                    name=f"hypernetes-{pod_name}"[:255],
                    description=mark,
                    device_owner=names.PORT_DEVICE_OWNER,
                    device_id=pod_uid,
                    binding_host_id=host,
                )
                found = _port(created)
            return found

    def get(self, port_id: ids.NeutronPortId) -> Port | None:
        """The port with that id, or None."""
        with failures.translated(_SERVICE):
            try:
                return _port(self._proxy.get_port(port_id))
            except exceptions.NotFoundException:
                return None

    def find(self, record_id: ids.PortRecordId, project_id: ids.ProjectId, host: str) -> Port | None:
        """The port made for a record whose port id was not recorded, or None.

        A tenant can write any description, but binding a port to a host takes our role.
        """
        with failures.translated(_SERVICE):
            query = self._proxy.ports(project_id=project_id, description=owner_mark("port", record_id))
            return next((_port(item) for item in query if item.binding_host_id == host), None)

    def delete_copies(self, record_id: ids.PortRecordId, project_id: ids.ProjectId, host: str) -> None:
        """Delete every port made for a record and bound to ``host``: a late answer has a port made twice."""
        mark = owner_mark("port", record_id)
        query = {"project_id": project_id, "description": mark, "device_owner": names.PORT_DEVICE_OWNER}
        with failures.translated(_SERVICE):
            for item in list(self._proxy.ports(**query)):
                theirs = (item.description, item.project_id, item.device_owner, item.binding_host_id)
                if theirs == (mark, project_id, names.PORT_DEVICE_OWNER, host):
                    self._proxy.delete_port(item.id, ignore_missing=True)

    def marked(
        self, project_id: ids.ProjectId, network_id: ids.NetworkId
    ) -> list[tuple[ids.PortRecordId, ids.NeutronPortId]]:
        """The pods' ports on a project's network, each with the record that its mark names."""
        prefix = owner_mark("port", "")
        query = {"project_id": project_id, "network_id": network_id, "device_owner": names.PORT_DEVICE_OWNER}
        with failures.translated(_SERVICE):
            return [
                (ids.PortRecordId(item.description.removeprefix(prefix)), ids.NeutronPortId(item.id))
                for item in self._proxy.ports(**query)
                if item.device_owner == names.PORT_DEVICE_OWNER
                and item.network_id == network_id
                and item.project_id == project_id
                and item.binding_host_id
                and (item.description or "").startswith(prefix)
            ]

    def delete(self, port_id: ids.NeutronPortId) -> None:
        """Delete a port; one that is gone is fine."""
        with failures.translated(_SERVICE):
            self._proxy.delete_port(port_id, ignore_missing=True)

    def subnet(self, subnet_id: ids.SubnetId) -> Subnet | None:
        """A subnet of whatever project, or None."""
        with failures.translated(_SERVICE):
            try:
                return _subnet(self._proxy.get_subnet(subnet_id))
            except exceptions.NotFoundException:
                return None

    def network(self, network_id: ids.NetworkId) -> Network | None:
        """A network of whatever project, or None."""
        with failures.translated(_SERVICE):
            try:
                return _network(self._proxy.get_network(network_id))
            except exceptions.NotFoundException:
                return None


def _network(item: Any) -> Network:
    return Network(
        id=ids.NetworkId(item.id),
        project_id=ids.ProjectId(item.project_id),
        mtu=int(item.mtu or 1500),
        subnet_ids=tuple(ids.SubnetId(subnet) for subnet in item.subnet_ids or ()),
    )


def _subnet(item: Any) -> Subnet:
    return Subnet(
        id=ids.SubnetId(item.id),
        network_id=ids.NetworkId(item.network_id),
        cidr=item.cidr,
        ip_version=item.ip_version,
        gateway=item.gateway_ip,
        host_routes=tuple((route["destination"], route["nexthop"]) for route in item.host_routes or ()),
        name_servers=tuple(item.dns_nameservers or ()),
    )


def _port(item: Any) -> Port:
    return Port(
        id=ids.NeutronPortId(item.id),
        project_id=ids.ProjectId(item.project_id),
        network_id=ids.NetworkId(item.network_id),
        mac_address=item.mac_address,
        addresses=tuple((ids.SubnetId(fixed["subnet_id"]), fixed["ip_address"]) for fixed in item.fixed_ips or ()),
        host=item.binding_host_id,
        device_id=item.device_id or "",
    )
