# SPDX-License-Identifier: Apache-2.0
"""The resources that a project has once: its router and its subnet pool."""

from collections.abc import Collection

from hypernetes.model import ids
from hypernetes.openstack import failures
from hypernetes.openstack.neutron import owned


class ProjectNetworking(owned.ProjectScope):
    """The router and the subnet pool that the project's namespaces share."""

    def find_router(self) -> ids.RouterId | None:
        """Return the ID of the router created for the project, recorded or not; None if there is none."""
        mark = self._mark("project", self._project_id)
        with failures.translated(owned.SERVICE):
            found = self._first_created(self._proxy.routers(project_id=self._project_id, description=mark))
            return ids.RouterId(found.id) if found is not None else None

    def ensure_router(self) -> ids.RouterId:
        """Return the project's router; create it, with an external gateway if one is configured."""
        found = self.find_router()
        if found is not None:
            return found
        gateway = self._options.external_network_id
        extra = {"external_gateway_info": {"network_id": gateway}} if gateway else {}
        mark = self._mark("project", self._project_id)
        with failures.translated(owned.SERVICE):
            return ids.RouterId(self._proxy.create_router(name="hypernetes", description=mark, **extra).id)

    def find_subnet_pool(self) -> ids.SubnetPoolId | None:
        """Return the ID of the subnet pool created for the project, recorded or not; None if there is none."""
        mark = self._mark("project", self._project_id)
        with failures.translated(owned.SERVICE):
            found = self._first_created(self._proxy.subnet_pools(project_id=self._project_id, description=mark))
            return ids.SubnetPoolId(found.id) if found is not None else None

    def ensure_subnet_pool(self) -> ids.SubnetPoolId:
        """Return the pool from which the project's namespaces get addresses that never overlap; create it."""
        found = self.find_subnet_pool()
        if found is not None:
            return found
        with failures.translated(owned.SERVICE):
            created = self._proxy.create_subnet_pool(
                name="hypernetes",
                description=self._mark("project", self._project_id),
                prefixes=list(self._options.default_pool_prefixes),
                default_prefix_length=self._options.default_prefix_length,
            )
            return ids.SubnetPoolId(created.id)

    def has_router(self, router_id: ids.RouterId) -> bool:
        """Return whether the router exists; tenants can delete it."""
        with failures.translated(owned.SERVICE):
            return self._get(self._proxy.get_router, router_id) is not None

    def has_subnet_pool(self, pool_id: ids.SubnetPoolId) -> bool:
        """Return whether the pool exists; tenants can delete it."""
        with failures.translated(owned.SERVICE):
            return self._get(self._proxy.get_subnet_pool, pool_id) is not None

    def delete_router(self, router_id: ids.RouterId) -> None:
        """Delete the project's router; :class:`errors.Refused` while a subnet is attached to it."""
        with failures.translated(owned.SERVICE):
            self._proxy.delete_router(router_id, ignore_missing=True)

    def delete_subnet_pool(self, pool_id: ids.SubnetPoolId) -> None:
        """Delete the project's pool; :class:`errors.Refused` while it has subnets."""
        with failures.translated(owned.SERVICE):
            self._proxy.delete_subnet_pool(pool_id, ignore_missing=True)

    def delete_duplicates(self, kept: Collection[str | None]) -> None:
        """Delete the routers and pools created for the project, except ``kept``."""
        mark = self._mark("project", self._project_id)
        with failures.translated(owned.SERVICE):
            proxy = self._proxy
            self._delete_others(proxy.routers, proxy.delete_router, mark, kept)
            self._delete_others(proxy.subnet_pools, proxy.delete_subnet_pool, mark, kept)
