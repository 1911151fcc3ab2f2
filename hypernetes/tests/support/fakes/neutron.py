# SPDX-License-Identifier: Apache-2.0
"""A Neutron that keeps its objects in memory."""

import itertools
from collections.abc import Collection
from typing import Any

from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.openstack import failures
from hypernetes.openstack.neutron import records as neutron
from hypernetes.tests.support import database
from hypernetes.tests.support.fakes import fate as fates


class FakeNeutron:
    """Networks of all projects and their ports, with the marks by which they are found."""

    def __init__(self, fate: fates.Fate) -> None:
        self.fate = fate
        self.members: set[str] = set()
        self.things: dict[str, dict[str, Any]] = {}
        self.refusal: Exception | None = None
        self.in_use: set[str] = set()
        """Routers that a tenant has attached something to."""
        self._numbers = itertools.count(1)

    def all(self, kind: str) -> list[dict[str, Any]]:
        """What exists of a kind."""
        return [thing for thing in self.things.values() if thing["kind"] == kind]

    def make(self, kind: str, mark: str, **fields: Any) -> str:
        """Make a thing and give it an id."""
        if self.refusal is not None:
            raise self.refusal
        identifier = f"{kind}-{next(self._numbers)}"
        self.things[identifier] = {"id": identifier, "kind": kind, "mark": mark, **fields}
        return identifier

    def find(self, kind: str, mark: str) -> str | None:
        """The thing with that mark."""
        return next((thing["id"] for thing in self.all(kind) if thing["mark"] == mark), None)


class _ProjectScope:
    """What the fakes of one project share."""

    def __init__(self, fake: FakeNeutron, project_id: str) -> None:
        self._everything = fake
        self._project_id = project_id

    @property
    def _fake(self) -> FakeNeutron:
        """What a member of the project may look at and change."""
        if self._project_id not in self._everything.members:
            raise failures.NotAMember(service="Neutron", reason="the service user was not accepted for the project")
        return self._everything

    def _ensure(self, kind: str, mark: str, **fields: Any) -> str:
        with self._fake.fate.decides():
            return self._fake.find(kind, mark) or self._fake.make(kind, mark, project_id=self._project_id, **fields)

    def _delete(self, identifier: str) -> None:
        with self._fake.fate.decides():
            self._fake.things.pop(identifier, None)

    def _delete_others(self, kinds: tuple[str, ...], mark: str, kept: Collection[str | None]) -> None:
        for kind in kinds:
            for thing in self._fake.all(kind):
                if thing["mark"] == mark and thing["id"] not in kept:
                    self._delete(thing["id"])


class FakeProjectNetworking(_ProjectScope):
    """Stands for :class:`hypernetes.openstack.neutron.project.ProjectNetworking`."""

    def ensure_router(self) -> str:
        return self._ensure("router", self._project_id)

    def ensure_subnet_pool(self) -> str:
        return self._ensure("pool", self._project_id)

    def find_router(self) -> str | None:
        return self._fake.find("router", self._project_id)

    def find_subnet_pool(self) -> str | None:
        return self._fake.find("pool", self._project_id)

    def has_router(self, router_id: str) -> bool:
        return router_id in self._fake.things

    def has_subnet_pool(self, pool_id: str) -> bool:
        return pool_id in self._fake.things

    def delete_router(self, router_id: str) -> None:
        if router_id in self._fake.in_use:
            raise errors.Refused(service="Neutron", reason=f"Router {router_id} still has ports")
        self._delete(router_id)

    def delete_duplicates(self, kept: Collection[str | None]) -> None:
        self._delete_others(("router", "pool"), self._project_id, kept)

    delete_subnet_pool = _ProjectScope._delete


class FakeNamespaceNetworking(_ProjectScope):
    """Stands for :class:`hypernetes.openstack.neutron.namespace.NamespaceNetworking`."""

    def network(self, network_id: str) -> neutron.Network | None:
        thing = self._fake.things.get(network_id)
        if thing is None or thing["project_id"] != self._project_id:
            return None
        port_security = thing.get("port_security", True)
        return neutron.Network(ids.NetworkId(network_id), ids.ProjectId(self._project_id), 1442, (), port_security)

    def has_port_security_extension(self) -> bool:
        return True

    def ensure_network(self, record_id: str, name: str) -> neutron.Network:
        made = self._ensure("network", record_id)
        return neutron.Network(ids.NetworkId(made), ids.ProjectId(self._project_id), 1442, (), port_security=True)

    def find_network(self, record_id: str) -> neutron.Network | None:
        found = self._fake.find("network", record_id)
        return self.network(found) if found else None

    def first_subnet(self, network_id: str) -> neutron.Subnet | None:
        found = next((t for t in self._fake.all("subnet") if t["network_id"] == network_id), None)
        return self._subnet(found["id"], network_id) if found else None

    def ensure_subnet(
        self, record_id: str, name: str, network_id: str, *, cidr: str | None, pool_id: str
    ) -> neutron.Subnet:
        if pool_id not in self._fake.things:
            raise errors.Refused(service="Neutron", reason=f"Subnet pool {pool_id} could not be found")
        return self._subnet(self._ensure("subnet", record_id, network_id=network_id), network_id)

    def find_subnet(self, record_id: str) -> neutron.Subnet | None:
        found = self._fake.find("subnet", record_id)
        return self._subnet(found, self._fake.things[found]["network_id"]) if found else None

    def ensure_router_interface(self, router_id: str, subnet_id: str) -> None:
        if router_id not in self._fake.things:
            raise errors.Refused(service="Neutron", reason=f"Router {router_id} could not be found")
        self._ensure("interface", f"{router_id}/{subnet_id}")

    def delete_router_interface(self, router_id: str, subnet_id: str) -> None:
        self._delete(self._fake.find("interface", f"{router_id}/{subnet_id}") or "")

    def ensure_security_group(self, record_id: str, name: str) -> str:
        return self._ensure("group", record_id)

    def find_security_group(self, record_id: str) -> str | None:
        return self._fake.find("group", record_id)

    def delete_duplicates(self, record_id: str, kept: Collection[str | None], *, of_networks: bool) -> None:
        kinds = ("group", "subnet", "network") if of_networks else ("group",)
        self._delete_others(kinds, record_id, kept)

    delete_security_group = delete_subnet = delete_network = _ProjectScope._delete

    def _subnet(self, identifier: str, network_id: str) -> neutron.Subnet:
        return neutron.Subnet(ids.SubnetId(identifier), ids.NetworkId(network_id), "10.0.0.0/24", 4, "10.0.0.1")


class FakePorts:
    """Stands for :class:`hypernetes.openstack.neutron.ports.Ports`."""

    def __init__(self, fake: FakeNeutron) -> None:
        self._fake = fake

    def ensure(
        self, record_id: str, *, host: str, project_id: str, is_new: bool = False, **fields: Any
    ) -> neutron.Port:
        with self._fake.fate.decides():
            # As Neutron would, it creates a second port for a record that the conductor took for new.
            made = None if is_new else self._fake.find("port", record_id)
            if made is None:
                empty = {"pod_uid": "", "pod_name": None, "address": None}
                made = self._fake.make("port", record_id, host=host, project_id=project_id, **(empty | fields))
        return self._port(made)

    def get(self, port_id: str) -> neutron.Port | None:
        return self._port(port_id) if port_id in self._fake.things else None

    def label(self, port_id: str, pod_uid: str, pod_name: str) -> None:
        with self._fake.fate.decides():
            if port_id in self._fake.things:
                self._fake.things[port_id] |= {"pod_uid": pod_uid, "pod_name": pod_name}

    def find(self, record_id: str, project_id: str, host: str) -> neutron.Port | None:
        found = self._fake.find("port", record_id)
        return self._port(found) if found else None

    def delete(self, port_id: str) -> None:
        with self._fake.fate.decides():
            self._fake.things.pop(port_id, None)

    def delete_duplicates(self, record_id: str, project_id: str, host: str) -> None:
        for port in self._fake.all("port"):
            if (port["mark"], port["project_id"], port["host"]) == (record_id, project_id, host):
                self.delete(port["id"])

    def pod_ports(self, project_id: str, network_id: str) -> list[tuple[str, str]]:
        ports = self._fake.all("port")
        return [(p["mark"], p["id"]) for p in ports if (p["project_id"], p["network_id"]) == (project_id, network_id)]

    def subnet(self, subnet_id: str) -> neutron.Subnet:
        return neutron.Subnet(ids.SubnetId(subnet_id), ids.NetworkId("n"), "10.0.0.0/24", 4, "10.0.0.1")

    def network(self, network_id: str) -> neutron.Network:
        return neutron.Network(ids.NetworkId(network_id), database.RED, 1442, (), port_security=True)

    def _port(self, identifier: str) -> neutron.Port:
        thing = self._fake.things[identifier]
        return neutron.Port(
            id=ids.NeutronPortId(identifier),
            project_id=thing["project_id"],
            network_id=thing["network_id"],
            mac_address="fa:16:3e:00:00:01",
            addresses=((thing["subnet_id"], "10.0.0.5"),),
            host=thing["host"],
            device_id=thing["pod_uid"],
        )
