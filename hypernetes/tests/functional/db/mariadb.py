# SPDX-License-Identifier: Apache-2.0
"""A MariaDB of the tests' own, started once for a process, with a fresh database for each test.

``HYPERNETES_TEST_MARIADB`` (an SQLAlchemy URL without a database name, of a user who may create databases) uses a
server that is there already.
"""

import atexit
import functools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

import fixtures
import sqlalchemy

_START_DEADLINE = 60.0
"""Seconds a server may take to answer."""
_STOP_DEADLINE = 20.0


class MariaDB(fixtures.Fixture):
    """An empty database on a real MariaDB; ``connection`` is its URL."""

    def _setUp(self) -> None:  # noqa: N802
        server = os.environ.get("HYPERNETES_TEST_MARIADB") or _server()
        name = f"test_{uuid.uuid4().hex}"
        execute(server, f"CREATE DATABASE {name}")
        self.addCleanup(execute, server, f"DROP DATABASE {name}")
        self.connection = sqlalchemy.make_url(server).set(database=name).render_as_string(hide_password=False)


def execute(server: str, statement: str) -> None:
    """Execute one statement."""
    engine = sqlalchemy.create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text(statement))
    finally:
        engine.dispose()


@functools.cache
def _server() -> str:
    """Start a server in a directory of its own that listens on a socket there only; its URL."""
    directory = Path(tempfile.mkdtemp(prefix="hypernetes-mariadb-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    url, process = start(directory, "--skip-networking", "--skip-log-bin")
    atexit.register(stop, process)
    return url


def start(directory: Path, *options: str) -> "tuple[str, subprocess.Popen[bytes]]":
    """Start a server that has its data and its socket in a directory; its URL as root."""
    # mariadbd refuses to run as root.
    user = pwd.getpwnam("mysql").pw_name if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    if os.geteuid() == 0:
        shutil.chown(directory, user)
    data, socket = directory / "data", directory / "socket"
    subprocess.run(
        [
            _binary("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={data}",
            f"--user={user}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=_START_DEADLINE,
    )
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                _binary("mariadbd"),
                "--no-defaults",
                f"--datadir={data}",
                f"--socket={socket}",
                f"--user={user}",
                "--innodb-buffer-pool-size=32M",
                # Speed; nothing of a test's need survive the machine.
                "--innodb-flush-log-at-trx-commit=0",
                *options,
            ],
            stdout=log,
            stderr=log,
        )
    url = f"mysql+pymysql://root@/?unix_socket={socket}"
    try:
        _await(url, process, directory / "log")
    except Exception:
        stop(process)
        raise
    return url, process


def _await(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_DEADLINE
    while True:
        try:
            execute(url, "SELECT 1")
        except sqlalchemy.exc.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"mariadbd does not answer:\n{log.read_text(errors='replace')}") from None
            time.sleep(0.05)
        else:
            return


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Stop a server that :func:`start` has started."""
    process.terminate()
    try:
        process.wait(_STOP_DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _binary(name: str) -> str:
    # Debian keeps servers out of ordinary users' PATH.
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if found is None:
        raise RuntimeError(f"{name} is not installed; the Debian package mariadb-server has it")
    return found
