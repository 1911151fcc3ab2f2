# SPDX-License-Identifier: Apache-2.0
"""A world for reconcilers: the real database repositories, and fakes for what other packages own.

The fakes keep what exists in them, so that a test can count it, and can be made to die at any of their calls.
"""

import contextlib
import dataclasses
import functools
import itertools
import tempfile
import uuid
from collections.abc import Collection
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import cast

import fixtures
from lightkube.models import core_v1 as core_models
from lightkube.models import meta_v1 as meta
from lightkube.resources import core_v1 as core
from oslo_config import cfg
from sqlalchemy import event

from hypernetes.conductor import keys
from hypernetes.conductor import lease
from hypernetes.conductor import work
from hypernetes.conf import opts
from hypernetes.db import api
from hypernetes.db import models
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.openstack import failures
from hypernetes.openstack import neutron
from hypernetes.rpc import messages
from hypernetes.tests.unit.db import database

FERNET_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


class Killed(BaseException):
    """The process ends here, as by kill -9: nothing catches it."""


class Fate:
    """Decides at which call of a fake the process dies, and whether before or after the call had its effect."""

    def __init__(self) -> None:
        self.calls = 0
        self.dies_at: int | None = None
        self.after_effect = False

    @contextlib.contextmanager
    def decides(self) -> Iterator[None]:
        """Around each call of a fake."""
        number = self.calls
        self.calls += 1
        if self.dies_at == number and not self.after_effect:
            raise Killed
        yield
        if self.dies_at == number and self.after_effect:
            raise Killed


class FakeNeutron:
    """Networks of all projects and their ports, with the marks by which they are found."""

    def __init__(self, fate: Fate) -> None:
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


class FakeKeystone:
    def __init__(self, fake: FakeNeutron) -> None:
        self._fake = fake

    def grant_member(self, project_id: str) -> None:
        with self._fake.fate.decides():
            self._fake.members.add(project_id)

    def revoke_member(self, project_id: str) -> None:
        with self._fake.fate.decides():
            self._fake.members.discard(project_id)


class FakeNetworks:
    """Stands for :class:`hypernetes.openstack.neutron.ProjectNetworks`."""

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

    def network(self, network_id: str) -> neutron.Network | None:
        thing = self._fake.things.get(network_id)
        if thing is None or thing["project_id"] != self._project_id:
            return None
        return neutron.Network(ids.NetworkId(network_id), ids.ProjectId(self._project_id), 1442, ())

    def ensure_network(self, record_id: str, name: str) -> neutron.Network:
        made = self._ensure("network", record_id)
        return neutron.Network(ids.NetworkId(made), ids.ProjectId(self._project_id), 1442, ())

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

    def delete_router(self, router_id: str) -> None:
        if router_id in self._fake.in_use:
            raise errors.Refused(service="Neutron", reason=f"Router {router_id} still has ports")
        self._delete(router_id)

    def delete_copies(self, record_id: str, kept: Collection[str | None], *, of_networks: bool) -> None:
        kinds = ("group", "subnet", "network") if of_networks else ("group",)
        self._delete_others(kinds, record_id, kept)

    def delete_project_copies(self, kept: Collection[str | None]) -> None:
        self._delete_others(("router", "pool"), self._project_id, kept)

    def _delete_others(self, kinds: tuple[str, ...], mark: str, kept: Collection[str | None]) -> None:
        for kind in kinds:
            for thing in self._fake.all(kind):
                if thing["mark"] == mark and thing["id"] not in kept:
                    self._delete(thing["id"])

    delete_subnet_pool = delete_security_group = delete_subnet = delete_network = _delete

    def _subnet(self, identifier: str, network_id: str) -> neutron.Subnet:
        return neutron.Subnet(ids.SubnetId(identifier), ids.NetworkId(network_id), "10.0.0.0/24", 4, "10.0.0.1")


class FakePorts:
    """Stands for :class:`hypernetes.openstack.neutron.Ports`."""

    def __init__(self, fake: FakeNeutron) -> None:
        self._fake = fake

    def ensure(self, record_id: str, *, host: str, project_id: str, **fields: Any) -> neutron.Port:
        with self._fake.fate.decides():
            made = self._fake.find("port", record_id)
            if made is None:
                made = self._fake.make("port", record_id, host=host, project_id=project_id, **fields)
        return self._port(made)

    def get(self, port_id: str) -> neutron.Port | None:
        return self._port(port_id) if port_id in self._fake.things else None

    def find(self, record_id: str, project_id: str, host: str) -> neutron.Port | None:
        found = self._fake.find("port", record_id)
        return self._port(found) if found else None

    def delete(self, port_id: str) -> None:
        with self._fake.fate.decides():
            self._fake.things.pop(port_id, None)

    def delete_copies(self, record_id: str, project_id: str, host: str) -> None:
        for port in self._fake.all("port"):
            if (port["mark"], port["project_id"], port["host"]) == (record_id, project_id, host):
                self.delete(port["id"])

    def marked(self, project_id: str, network_id: str) -> list[tuple[str, str]]:
        ports = self._fake.all("port")
        return [(p["mark"], p["id"]) for p in ports if (p["project_id"], p["network_id"]) == (project_id, network_id)]

    def subnet(self, subnet_id: str) -> neutron.Subnet:
        return neutron.Subnet(ids.SubnetId(subnet_id), ids.NetworkId("n"), "10.0.0.0/24", 4, "10.0.0.1")

    def network(self, network_id: str) -> neutron.Network:
        return neutron.Network(ids.NetworkId(network_id), database.RED, 1442, ())

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


class FakeCloud:
    def __init__(self, fate: Fate) -> None:
        self.neutron = FakeNeutron(fate)
        self.keystone = FakeKeystone(self.neutron)
        self.ports = FakePorts(self.neutron)

    def networks(self, project_id: str) -> FakeNetworks:
        return FakeNetworks(self.neutron, project_id)


class FakeApiserver:
    """Stands for :class:`hypernetes.kubernetes.client.ClusterClient`: objects by kind, namespace and name."""

    def __init__(self, fate: Fate) -> None:
        self.fate = fate
        self.objects: dict[tuple[type, str | None, str], Any] = {}
        self.ready = True
        self.policies_in_force = True
        self._numbers = itertools.count(1)

    def is_ready(self) -> bool:
        return self.ready

    def refusal(self, item: Any) -> str | None:
        """What the admission policies would say, once they are in force."""
        in_force = self.policies_in_force and item.spec.hostNetwork
        return "hypernetes/host-namespaces: no" if in_force else None

    def find(self, kind: type, name: str, namespace: str | None = None) -> Any:
        return self.objects.get((kind, namespace, name))

    def list(self, kind: type, namespace: str | None = None) -> list[Any]:
        return [item for (of, _, _), item in self.objects.items() if of is kind]

    def create(self, item: Any) -> Any:
        with self.fate.decides():
            key = (type(item), item.metadata.namespace, item.metadata.name)
            if key in self.objects:
                raise errors.NameTaken(kind="object", name=item.metadata.name)
            item.metadata.uid = str(uuid.UUID(int=next(self._numbers)))
            self.objects[key] = item
        return item

    def apply(self, item: Any) -> Any:
        with self.fate.decides():
            self.objects[type(item), item.metadata.namespace, item.metadata.name] = item
        return item

    def delete(self, kind: type, name: str, namespace: str | None = None, *, uid: str | None = None) -> bool:
        with self.fate.decides():
            self.objects.pop((kind, namespace, name), None)
            if kind is core.Namespace:
                self.objects = {key: item for key, item in self.objects.items() if key[1] != name}
        return True


class FakeApiservers:
    def __init__(self, fate: Fate) -> None:
        self.apiserver = FakeApiserver(fate)

    def of(self, cluster: object) -> FakeApiserver:
        return self.apiserver

    def forget(self, cluster_id: str) -> None:
        pass


class FakeBroker:
    def __init__(self) -> None:
        self.nodes: dict[str, str] = {}

    def ensure_node(self, node: str, password: str) -> None:
        self.nodes[node] = password

    def ensure_topology(self, node: str) -> None:
        pass

    def has_node(self, node: str) -> bool:
        return node in self.nodes

    def remove_node(self, node: str) -> None:
        self.nodes.pop(node, None)


class FakeAgents:
    def __init__(self) -> None:
        self.orders: list[tuple[str, messages.PhaseOrder]] = []

    def run_phase(self, node_name: str, order: messages.PhaseOrder) -> None:
        self.orders.append((node_name, order))


@functools.cache
def _migrated() -> bytes:
    """The file of an empty database of this release's form; the migrations run once for each process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.sqlite"
        with database.MigratedDatabase(f"sqlite:///{path}"):
            pass
        return path.read_bytes()


class WorldFixture(fixtures.Fixture):
    """The world, and everything in it that a test may want to look at or to bend."""

    def _setUp(self) -> None:  # noqa: N802
        self.conf = cfg.ConfigOpts()
        opts.register(self.conf, "conductor", "openstack", "messaging", "kubernetes")
        self.conf([], project="hypernetes", default_config_files=[], default_config_dirs=[])
        self.database = self._database()
        self.fate = Fate()
        self.cloud = FakeCloud(self.fate)
        self.apiserver = FakeApiservers(self.fate)
        self.broker = FakeBroker()
        self.agents = FakeAgents()
        self.woken: list[work.Key] = []
        self.failures = 0
        self.world = work.World(
            conf=self.conf,
            db=self.database,
            cloud=cast(Any, self.cloud),
            clusters=cast(Any, self.apiserver),
            broker=cast(Any, self.broker),
            agents=cast(Any, self.agents),
            leases=lease.Leases(self.database.leases, 30.0),
            keys=keys.KeyRing([FERNET_KEY]),
            wake=self.woken.append,
            failures=lambda key: self.failures,
        )

    def _database(self) -> api.Database:
        path = Path(self.useFixture(fixtures.TempDir()).path) / "test.sqlite"
        path.write_bytes(_migrated())
        made = api.Database(database.configuration(f"sqlite:///{path}"))
        self.addCleanup(made.transactions.dispose)
        # Nobody reads it after a crash of the machine, and these tests write thousands of times.
        event.listen(made.transactions.engine(), "connect", lambda link, _: link.execute("PRAGMA synchronous = OFF"))
        return made

    def restart(self) -> work.World:
        """The world as a conductor sees it that starts after the last one was killed: its leases have run out."""
        self.fate.dies_at = None
        session = self.database.transactions
        with session.writer() as writer:
            writer.query(models.Lease).delete()
        return dataclasses.replace(self.world, leases=lease.Leases(self.database.leases, 30.0))

    def pod(self, name: str, namespace: str, node: str, **spec: Any) -> str:
        """A pod bound to a node; its uid."""
        item = core.Pod(
            metadata=meta.ObjectMeta(name=name, namespace=namespace),
            spec=core_models.PodSpec(containers=[], nodeName=node, **spec),
        )
        return str(self.apiserver.apiserver.create(item).metadata.uid)


def never_lost() -> lease.Lease:
    """A lease that is held for the whole test."""
    return lease.Lease("test", "test", lambda: 0.0, 1.0)
