# SPDX-License-Identifier: Apache-2.0
"""MariaDB: one server, one database and one account per service."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterable
from pathlib import Path

import pymysql

from hypernetes.standalone import addresses
from hypernetes.standalone import machine
from hypernetes.standalone.component import Component
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.supervision import Program

DATABASES = ("keystone", "neutron", "hypernetes")
ACCOUNT = "mysql"


def render(directory: Path) -> str:
    """The server's configuration: small buffers, no binary log, only our own address."""
    return f"""[mariadbd]
user = {ACCOUNT}
datadir = {directory / "data"}
socket = {directory / "mysqld.sock"}
pid-file = {directory / "mariadbd.pid"}
bind-address = {addresses.INTERNAL}
port = {addresses.MARIADB_PORT}
skip-name-resolve
skip-log-bin
character-set-server = utf8mb4
collation-server = utf8mb4_general_ci
innodb-buffer-pool-size = 64M
innodb-log-file-size = 32M
performance-schema = OFF
max-connections = 300
"""


def url(installation: Installation, database: str) -> str:
    """The SQLAlchemy address of a service's database; it holds the password, so only for files of mode 0600."""
    password = installation.password(f"mariadb-{database}")
    host = f"{addresses.INTERNAL}:{addresses.MARIADB_PORT}"
    return f"mysql+pymysql://{database}:{password}@{host}/{database}?charset=utf8mb4"


def start(installation: Installation) -> None:
    """Make the data directory, start the server, see to databases and accounts."""
    directory = installation.layout.service("mariadb")
    directory.mkdir(parents=True, exist_ok=True)
    account = pwd.getpwnam(ACCOUNT)
    configuration = directory / "my.cnf"
    machine.write(configuration, render(directory))

    def install() -> None:
        shutil.rmtree(directory / "data", ignore_errors=True)
        machine.run(
            [
                "mariadb-install-db",
                f"--defaults-file={configuration}",
                "--auth-root-authentication-method=socket",
                "--auth-root-socket-user=root",
                "--skip-test-db",
                f"--user={ACCOUNT}",
            ],
            timeout=120,
        )

    os.chown(directory, account.pw_uid, account.pw_gid)
    installation.once("mariadb-data", "1", install)
    installation.control.apply(
        Program(
            name="mariadb",
            command=["/usr/sbin/mariadbd", f"--defaults-file={configuration}"],
            files=[configuration],
            stop_seconds=30,
        )
    )
    machine.wait_until(lambda: _answers(directory), "mariadb", timeout=60)
    ensure_databases(installation, DATABASES)


def ensure_databases(installation: Installation, names: Iterable[str]) -> None:
    """Create what is missing of each service's database and its account."""
    with _connect(installation.layout.service("mariadb")) as connection, connection.cursor() as cursor:
        for name in names:
            password = installation.password(f"mariadb-{name}")
            cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{name}`")
            cursor.execute(f"CREATE USER IF NOT EXISTS `{name}`@'%%' IDENTIFIED BY %s", (password,))
            cursor.execute(f"ALTER USER `{name}`@'%%' IDENTIFIED BY %s", (password,))
            cursor.execute(f"GRANT ALL ON `{name}`.* TO `{name}`@'%'")


def ready(installation: Installation) -> bool:
    """Return whether the server lets root in."""
    return _answers(installation.layout.service("mariadb"))


def _connect(directory: Path) -> pymysql.connections.Connection[pymysql.cursors.Cursor]:
    # Root proves who it is by its user id on the socket: no password anywhere.
    return pymysql.connect(unix_socket=str(directory / "mysqld.sock"), user="root", connect_timeout=5, read_timeout=20)


def _answers(directory: Path) -> bool:
    try:
        _connect(directory).close()
    except (pymysql.MySQLError, OSError):
        return False
    return True


COMPONENT = Component(
    name="mariadb",
    summary="databases of Keystone, Neutron and Hypernetes",
    needs=("supervisor", "bridge"),
    start=start,
    ready=ready,
)
