# SPDX-License-Identifier: Apache-2.0
"""Pods' ports, in the tenants' projects."""

from typing import Any

from openstack import exceptions

from hypernetes.model import ids
from hypernetes.model import names
from hypernetes.openstack import failures
from hypernetes.openstack import session as sessions
from hypernetes.openstack.neutron import owned
from hypernetes.openstack.neutron import records


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
    ) -> records.Port:
        """The port of a record, bound to the chassis ``host``; Neutron chooses where no address is asked for."""
        mark = owned.owner_mark("port", record_id)
        fixed = {"subnet_id": subnet_id} if address is None else {"subnet_id": subnet_id, "ip_address": address}
        with failures.translated(owned.SERVICE):
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
                found = records.read_port(created)
            return found

    def get(self, port_id: ids.NeutronPortId) -> records.Port | None:
        """The port with that id, or None."""
        with failures.translated(owned.SERVICE):
            try:
                return records.read_port(self._proxy.get_port(port_id))
            except exceptions.NotFoundException:
                return None

    def find(self, record_id: ids.PortRecordId, project_id: ids.ProjectId, host: str) -> records.Port | None:
        """The port made for a record whose port id was not recorded, or None.

        A tenant can write any description, but binding a port to a host takes our role.
        """
        with failures.translated(owned.SERVICE):
            query = self._proxy.ports(project_id=project_id, description=owned.owner_mark("port", record_id))
            return next((records.read_port(item) for item in query if item.binding_host_id == host), None)

    def delete_duplicates(self, record_id: ids.PortRecordId, project_id: ids.ProjectId, host: str) -> None:
        """Delete every port made for a record and bound to ``host``: a late answer has a port made twice."""
        mark = owned.owner_mark("port", record_id)
        query = {"project_id": project_id, "description": mark, "device_owner": names.PORT_DEVICE_OWNER}
        with failures.translated(owned.SERVICE):
            for item in list(self._proxy.ports(**query)):
                theirs = (item.description, item.project_id, item.device_owner, item.binding_host_id)
                if theirs == (mark, project_id, names.PORT_DEVICE_OWNER, host):
                    self._proxy.delete_port(item.id, ignore_missing=True)

    def pod_ports(
        self, project_id: ids.ProjectId, network_id: ids.NetworkId
    ) -> list[tuple[ids.PortRecordId, ids.NeutronPortId]]:
        """The pods' ports on a project's network, each with the record that its mark names."""
        prefix = owned.owner_mark("port", "")
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
        """Delete a port; one that is gone is fine."""
        with failures.translated(owned.SERVICE):
            self._proxy.delete_port(port_id, ignore_missing=True)

    def subnet(self, subnet_id: ids.SubnetId) -> records.Subnet | None:
        """A subnet of whatever project, or None."""
        with failures.translated(owned.SERVICE):
            try:
                return records.read_subnet(self._proxy.get_subnet(subnet_id))
            except exceptions.NotFoundException:
                return None

    def network(self, network_id: ids.NetworkId) -> records.Network | None:
        """A network of whatever project, or None."""
        with failures.translated(owned.SERVICE):
            try:
                return records.read_network(self._proxy.get_network(network_id))
            except exceptions.NotFoundException:
                return None
