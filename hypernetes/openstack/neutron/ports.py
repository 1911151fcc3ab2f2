# SPDX-License-Identifier: Apache-2.0
"""Pods' ports, in the tenants' projects."""

import threading
from collections.abc import Callable
from collections.abc import MutableMapping
from typing import TypeVar

import cachetools
from openstack import exceptions
from openstack.network.v2 import _proxy
from oslo_config import cfg

from hypernetes.model import ids
from hypernetes.model import names
from hypernetes.openstack import failures
from hypernetes.openstack import session as sessions
from hypernetes.openstack.neutron import owned
from hypernetes.openstack.neutron import records

_KEPT_SECONDS = 60.0
"""How long a network or subnet is not read again; a tenant's new name servers reach new pods after that time."""
_KEPT_OBJECTS = 1024

K = TypeVar("K", bound=str)
V = TypeVar("V")


class Ports:
    """Pods' ports, created in the tenants' projects with the role ``service``, which alone may bind them to a host."""

    def __init__(self, conf: cfg.ConfigOpts, opened: sessions.Sessions) -> None:
        self._options = conf.openstack
        self._sessions = opened
        self._lock = threading.Lock()
        self._networks: MutableMapping[ids.NetworkId, records.Network] = _cache()
        self._subnets: MutableMapping[ids.SubnetId, records.Subnet] = _cache()

    @property
    def _proxy(self) -> _proxy.Proxy:
        return self._sessions.service().network

    def ensure(
        self,
        record_id: ids.PortRecordId,
        *,
        project_id: ids.ProjectId,
        network_id: ids.NetworkId,
        subnet_id: ids.SubnetId,
        security_group_id: ids.SecurityGroupId,
        host: str,
        pod_uid: ids.PodUid | None = None,
        pod_name: str | None = None,
        address: str | None = None,
        is_new: bool = False,
    ) -> records.Port:
        """Return the port of a record, bound to the chassis ``host``; create it if it does not exist.

        :param pod_uid: the pod that gets it; None for a port that waits for one.
        :param address: the address to request; Neutron chooses one if it is None.
        :param is_new: the caller has created the record just now, so that no interrupted call can have created its
            port: no port is searched for.
        """
        mark = owned.owner_mark(self._options, "port", record_id)
        fixed = {"subnet_id": subnet_id} if address is None else {"subnet_id": subnet_id, "ip_address": address}
        with failures.translated(owned.SERVICE):
            found = None if is_new else self.find(record_id, project_id, host)
            if found is None:
                created = self._proxy.create_port(
                    project_id=project_id,
                    network_id=network_id,
                    fixed_ips=[fixed],
                    security_group_ids=[security_group_id],
                    name=_name(pod_name),
                    description=mark,
                    device_owner=names.PORT_DEVICE_OWNER,
                    device_id=pod_uid or "",
                    binding_host_id=host,
                )
                found = records.read_port(created)
            return found

    def label(self, port_id: ids.NeutronPortId, pod_uid: ids.PodUid, pod_name: str) -> None:
        """Have a port that waited for a pod name it; does nothing if the port is gone."""
        with failures.translated(owned.SERVICE):
            try:
                self._proxy.update_port(port_id, name=_name(pod_name), device_id=pod_uid)
            except exceptions.NotFoundException:
                return

    def get(self, port_id: ids.NeutronPortId) -> records.Port | None:
        """Return the port with that ID, or None."""
        with failures.translated(owned.SERVICE):
            try:
                return records.read_port(self._proxy.get_port(port_id))
            except exceptions.NotFoundException:
                return None

    def find(self, record_id: ids.PortRecordId, project_id: ids.ProjectId, host: str) -> records.Port | None:
        """Return the port created for a record whose port ID was not recorded, or None.

        A tenant can write any description, but only the role ``service`` can bind a port to a host.
        """
        with failures.translated(owned.SERVICE):
            query = self._proxy.ports(
                project_id=project_id, description=owned.owner_mark(self._options, "port", record_id)
            )
            return next((records.read_port(item) for item in query if item.binding_host_id == host), None)

    def delete_duplicates(self, record_id: ids.PortRecordId, project_id: ids.ProjectId, host: str) -> None:
        """Delete every port created for a record and bound to ``host``; a late response causes a second one."""
        mark = owned.owner_mark(self._options, "port", record_id)
        query = {"project_id": project_id, "description": mark, "device_owner": names.PORT_DEVICE_OWNER}
        with failures.translated(owned.SERVICE):
            for item in list(self._proxy.ports(**query)):
                theirs = (item.description, item.project_id, item.device_owner, item.binding_host_id)
                if theirs == (mark, project_id, names.PORT_DEVICE_OWNER, host):
                    self._proxy.delete_port(item.id, ignore_missing=True)

    def pod_ports(
        self, project_id: ids.ProjectId, network_id: ids.NetworkId
    ) -> list[tuple[ids.PortRecordId, ids.NeutronPortId]]:
        """Return the pods' ports on a project's network, each with the record ID in its mark."""
        prefix = owned.owner_mark(self._options, "port", "")
        query = {"project_id": project_id, "network_id": network_id, "device_owner": names.PORT_DEVICE_OWNER}
        with failures.translated(owned.SERVICE):
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
        """Delete a port. Idempotent."""
        with failures.translated(owned.SERVICE):
            self._proxy.delete_port(port_id, ignore_missing=True)

    def subnet(self, subnet_id: ids.SubnetId) -> records.Subnet | None:
        """Return a subnet of any project, or None; as it was within the last minute."""
        return self._kept(self._subnets, subnet_id, lambda: records.read_subnet(self._proxy.get_subnet(subnet_id)))

    def network(self, network_id: ids.NetworkId) -> records.Network | None:
        """Return a network of any project, or None; as it was within the last minute."""
        return self._kept(self._networks, network_id, lambda: records.read_network(self._proxy.get_network(network_id)))

    def _kept(self, cache: MutableMapping[K, V], key: K, read: Callable[[], V]) -> V | None:
        with self._lock:
            known = cache.get(key)
        if known is not None:
            return known
        with failures.translated(owned.SERVICE):
            try:
                found = read()
            except exceptions.NotFoundException:
                return None
        with self._lock:
            cache[key] = found
        return found


def _name(pod_name: str | None) -> str:
    return "hypernetes-ready-port" if pod_name is None else f"hypernetes-{pod_name}"[:255]


def _cache() -> MutableMapping[K, V]:
    made: MutableMapping[K, V] = cachetools.TTLCache(_KEPT_OBJECTS, _KEPT_SECONDS)
    return made
