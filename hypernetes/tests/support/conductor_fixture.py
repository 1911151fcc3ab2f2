# SPDX-License-Identifier: Apache-2.0
"""What a reconciler works with: the real database repositories, and fakes of what other packages own.

The fakes keep what exists in them, so that a test can count it, and can be made to die at any of their calls.
"""

import dataclasses
import functools
import tempfile
from pathlib import Path
from typing import Any
from typing import cast

import fixtures
from lightkube.models import core_v1 as core_models
from lightkube.models import meta_v1 as meta
from lightkube.resources import core_v1 as core
from oslo_config import cfg
from sqlalchemy import event

from hypernetes.conductor import dependencies
from hypernetes.conductor.clusters import keys
from hypernetes.conductor.engine import absences
from hypernetes.conductor.engine import lease
from hypernetes.conductor.engine import outcome
from hypernetes.conf import opts
from hypernetes.db import api
from hypernetes.db import models
from hypernetes.tests.support import database
from hypernetes.tests.support.fakes import apiserver
from hypernetes.tests.support.fakes import bus
from hypernetes.tests.support.fakes import cloud as clouds
from hypernetes.tests.support.fakes import fate as fates

FERNET_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


@functools.cache
def _migrated() -> bytes:
    """The file of an empty database of this release's form; the migrations run once for each process."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "template.sqlite"
        with database.MigratedDatabase(f"sqlite:///{path}"):
            pass
        return path.read_bytes()


class ConductorFixture(fixtures.Fixture):
    """The world, and everything in it that a test may want to look at or to bend."""

    def _setUp(self) -> None:  # noqa: N802
        self.conf = cfg.ConfigOpts()
        opts.register(self.conf, "conductor", "openstack", "messaging", "kubernetes", "port_pool")
        self.conf([], project="hypernetes", default_config_files=[], default_config_dirs=[])
        self.database = self._database()
        self.fate = fates.Fate()
        self.cloud = clouds.FakeCloud(self.fate)
        self.apiserver = apiserver.FakeApiservers(self.fate)
        self.broker = bus.FakeBroker()
        self.agents = bus.FakeAgents()
        self.woken: list[outcome.Key] = []
        self.failures = 0
        self.now = 0.0
        """The clock by which projects are gone for a while."""
        self.dependencies = dependencies.Dependencies(
            conf=self.conf,
            db=self.database,
            cloud=cast(Any, self.cloud),
            clusters=cast(Any, self.apiserver),
            broker=cast(Any, self.broker),
            agents=cast(Any, self.agents),
            leases=lease.Leases(self.database.leases, 30.0),
            keys=keys.KeyRing([FERNET_KEY]),
            gone_projects=self._graces(),
            wake=self.woken.append,
            failures=lambda key: self.failures,
        )

    def begin_graces(self) -> None:
        """Have the conductor know of no project that is gone, as after a start."""
        self.dependencies = dataclasses.replace(self.dependencies, gone_projects=self._graces())

    def _graces(self) -> absences.Absences:
        return absences.Absences(self.conf.conductor.gone_project_grace, lambda: self.now)

    def _database(self) -> api.Database:
        path = Path(self.useFixture(fixtures.TempDir()).path) / "test.sqlite"
        path.write_bytes(_migrated())
        made = api.Database(database.configuration(f"sqlite:///{path}"))
        self.addCleanup(made.transactions.dispose)
        # It is not read after a crash of the machine, and these tests write thousands of times.
        event.listen(made.transactions.engine(), "connect", lambda link, _: link.execute("PRAGMA synchronous = OFF"))
        return made

    def restart(self) -> dependencies.Dependencies:
        """The world as a conductor sees it that starts after the last one was killed: its leases have run out."""
        self.fate.dies_at = None
        session = self.database.transactions
        with session.writer() as writer:
            writer.query(models.Lease).delete()
        return dataclasses.replace(self.dependencies, leases=lease.Leases(self.database.leases, 30.0))

    def pod(self, name: str, namespace: str, node: str, **spec: Any) -> str:
        """A pod bound to a node; its uid."""
        item = core.Pod(
            metadata=meta.ObjectMeta(name=name, namespace=namespace),
            spec=core_models.PodSpec(**{"containers": [], "nodeName": node, **spec}),
        )
        return str(self.apiserver.apiserver.create(item).metadata.uid)


def never_lost() -> lease.Lease:
    """A lease that is held for the whole test."""
    return lease.Lease("test", "test", lambda: 0.0, 1.0)
