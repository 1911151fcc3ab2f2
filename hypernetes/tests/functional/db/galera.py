# SPDX-License-Identifier: Apache-2.0
"""Two MariaDB servers that are one Galera cluster, for what a lock on one of them does not exclude on the other."""

import socket
from pathlib import Path

import fixtures
import sqlalchemy

from hypernetes.tests.functional.db import mariadb

_PROVIDER = "/usr/lib/galera/libgalera_smm.so"
"""Debian's package galera-4, on which mariadb-server depends."""
_DATABASE = "galera"


class Galera(fixtures.Fixture):
    """An empty database; ``connections`` are its URLs on the two servers."""

    def _setUp(self) -> None:  # noqa: N802
        ports = _free_ports(8)
        first = self._server(ports[:4], "gcomm://")
        second = self._server(ports[4:], f"gcomm://127.0.0.1:{ports[0]}")
        # The second one answers when it has the data of the first.
        mariadb.execute(first, f"CREATE DATABASE {_DATABASE}")
        self.connections = tuple(
            sqlalchemy.make_url(url).set(database=_DATABASE).render_as_string(hide_password=False)
            for url in (first, second)
        )

    def _server(self, ports: list[int], cluster: str) -> str:
        group, transfer, incremental, client = ports
        local = "127.0.0.1"
        provider = f"base_port={group};gmcast.listen_addr=tcp://{local}:{group};ist.recv_addr={local}:{incremental}"
        url, process = mariadb.start(
            Path(self.useFixture(fixtures.TempDir()).path),
            f"--bind-address={local}",
            f"--port={client}",
            "--binlog-format=ROW",
            "--innodb-autoinc-lock-mode=2",
            "--wsrep-on=ON",
            f"--wsrep-provider={_PROVIDER}",
            f"--wsrep-provider-options={provider}",
            f"--wsrep-cluster-address={cluster}",
            f"--wsrep-node-address={local}:{group}",
            f"--wsrep-sst-receive-address={local}:{transfer}",
            "--wsrep-sst-method=rsync",
        )
        self.addCleanup(mariadb.stop, process)
        return url


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
