# SPDX-License-Identifier: Apache-2.0
"""A database for tests, and builders of the records that a test needs."""

import dataclasses
import datetime
import functools
import tempfile
from pathlib import Path
from typing import Any

import fixtures
from oslo_config import cfg
from oslo_db import options

from hypernetes.conf import opts
from hypernetes.db import api
from hypernetes.db import migration
from hypernetes.model import ids
from hypernetes.model import records
from hypernetes.model import states

RED = ids.ProjectId("a" * 32)
BLUE = ids.ProjectId("b" * 32)


def configuration(connection: str) -> cfg.ConfigOpts:
    """Return a new configuration that uses a database."""
    conf = cfg.ConfigOpts()
    opts.register(conf, "api", "messaging")
    options.set_defaults(conf, connection=connection)
    conf([], project="hypernetes", default_config_files=[], default_config_dirs=[])
    conf.set_override("max_retries", 1, group="database")
    return conf


class MigratedDatabase(fixtures.Fixture):
    """Repositories on a database whose schema was upgraded to this release.

    :param connection: URL of an empty database; None for SQLite in a file.
    :param branch: the only branch of migrations to run; None for all.
    """

    def __init__(self, connection: str | None = None, branch: migration.Branch | None = None) -> None:
        super().__init__()
        self._connection = connection
        self._branch = branch

    def _setUp(self) -> None:  # noqa: N802
        connection = self._connection
        if connection is None:
            file = Path(self.useFixture(fixtures.TempDir()).path) / "test.sqlite"
            file.write_bytes(_migrated_file())
            connection = f"sqlite:///{file}"
        self.conf = configuration(connection)
        self.database = api.Database(self.conf)
        self.addCleanup(self.database.transactions.dispose)
        if self._connection is not None:
            migration.upgrade(self.database.transactions, self._branch)


@functools.cache
def _migrated_file() -> bytes:
    """Return an SQLite file after all migrations; they run once, since hundreds of tests need it."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "migrated.sqlite"
        database = api.Database(configuration(f"sqlite:///{file}")).transactions
        migration.upgrade(database)
        database.dispose()
        return file.read_bytes()


def node(database: api.Database, name: str = "node1", **fields: Any) -> records.Node:
    """Create a node."""
    values: dict[str, Any] = {
        "secret_hash": "5" * 64,
        "secret_expires_at": datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1),
    }
    record = records.Node(id=ids.NodeId(ids.new_uuid()), name=name, status=states.NodeStatus.ENROLLING)
    return database.nodes.create(dataclasses.replace(record, **(values | fields)))


def cluster(
    database: api.Database,
    name: str = "demo",
    status: states.ClusterStatus = states.ClusterStatus.ACTIVE,
    nodes: tuple[ids.NodeId, ...] = (),
) -> records.Cluster:
    """Create a cluster."""
    return database.clusters.create(
        records.Cluster(
            id=ids.ClusterId(ids.new_uuid()),
            name=name,
            status=status,
            kubernetes_version="v1.37.2",
            service_subnet="10.96.0.0/12",
            control_node_ids=nodes,
        )
    )


def namespace(
    database: api.Database, cluster_id: ids.ClusterId, name: str = "web", project_id: ids.ProjectId = RED
) -> records.Namespace:
    """Create a namespace."""
    return database.namespaces.create(namespace_record(cluster_id, name, project_id))


def namespace_record(
    cluster_id: ids.ClusterId, name: str = "web", project_id: ids.ProjectId = RED
) -> records.Namespace:
    """A namespace that is not in the database yet."""
    return records.Namespace(
        id=ids.NamespaceId(ids.new_uuid()),
        project_id=project_id,
        cluster_id=cluster_id,
        name=name,
        status=states.NamespaceStatus.CREATING,
    )


def port(
    database: api.Database, namespace_id: ids.NamespaceId, node_id: ids.NodeId, sandbox: str = "0" * 64
) -> records.Port:
    """Create a port."""
    return database.ports.create(
        records.Port(
            id=ids.PortRecordId(ids.new_uuid()),
            namespace_id=namespace_id,
            node_id=node_id,
            sandbox_id=ids.SandboxId(sandbox),
            pod_uid=ids.PodUid(ids.new_uuid()),
            pod_name="web-0",
            status=states.PortStatus.CREATING,
        )
    )
