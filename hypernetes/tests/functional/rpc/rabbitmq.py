# SPDX-License-Identifier: Apache-2.0
"""A RabbitMQ of the tests' own: in a temporary directory, on ports of its own, gone afterwards."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import amqp
import requests
from oslo_config import cfg

from hypernetes.conf import opts

SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
USER = "hypernetes"
_START_SECONDS = 90.0


class RabbitMQ:
    """A broker with one administrator, for whom no permission is missing."""

    def __init__(self) -> None:
        self.password = secrets.token_hex(8)
        self._directory = Path(tempfile.mkdtemp(prefix="hypernetes-rabbitmq-"))
        self.port, self.management_port, epmd_port, distribution_port = _free_ports(4)
        (self._directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.default = 127.0.0.1:{self.port}\n"
            "management.tcp.ip = 127.0.0.1\n"
            f"management.tcp.port = {self.management_port}\n"
            f"default_user = {USER}\ndefault_pass = {self.password}\n"
            "log.console = true\nlog.console.level = error\nlog.file = false\n"
        )
        (self._directory / "enabled_plugins").write_text("[rabbitmq_management].\n")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._directory),
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(self._directory / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._directory / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self._directory / "data"),
            "RABBITMQ_LOG_BASE": str(self._directory / "log"),
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +A 4",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(epmd_port),
        }
        self._processes: list[subprocess.Popen[bytes]] = []
        # Erlang's port mapper would outlive the broker that started it: so it is ours to start and to end.
        self._spawn(["epmd", "-port", str(epmd_port), "-address", "127.0.0.1"], environment)
        self._spawn([SERVER], environment)
        try:
            self._await()
        except Exception:
            self.close()
            raise

    def close(self) -> None:
        """Stop it and remove its directory."""
        for process in reversed(self._processes):
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
        shutil.rmtree(self._directory, ignore_errors=True)

    def configuration(self) -> cfg.ConfigOpts:
        """The configuration of a conductor or an API that uses this broker."""
        conf = cfg.ConfigOpts()
        conf([], project="hypernetes", default_config_files=[], default_config_dirs=[])
        opts.register(conf)
        address = f"127.0.0.1:{self.port}"
        for name, value in {
            "management_url": f"http://127.0.0.1:{self.management_port}",
            "management_user": USER,
            "management_password": self.password,
            "node_transport_url": f"rabbit://{{user}}:{{password}}@{address}//",
            "call_timeout": 10.0,
            "allocate_timeout": 10.0,
        }.items():
            conf.set_override(name, value, group="messaging")
        # The option is oslo.messaging's and registered when it makes its transport.
        from hypernetes.rpc import transport

        transport.register_options(conf)
        conf.set_override("transport_url", f"rabbit://{USER}:{self.password}@{address}//")
        return conf

    def channel(self, user: str = USER, password: str | None = None) -> Any:
        """A channel on a connection of its own, on which a refused publication raises."""
        connection = amqp.Connection(
            host=f"127.0.0.1:{self.port}",
            userid=user,
            password=self.password if password is None else password,
            connect_timeout=10,
            read_timeout=10,
            confirm_publish=True,
        )
        connection.connect()
        return connection.channel()

    def _spawn(self, command: list[str], environment: dict[str, str]) -> None:
        with (self._directory / "output").open("ab") as output:
            self._processes.append(
                subprocess.Popen(
                    command,
                    env=environment,
                    cwd=self._directory,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            )

    def _await(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        url = f"http://127.0.0.1:{self.management_port}/api/health/checks/virtual-hosts"
        while True:
            try:
                if requests.get(url, auth=(USER, self.password), timeout=5).ok:
                    return
            except requests.RequestException:
                pass
            if self._processes[-1].poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._directory / "output").read_text(errors="replace")[-4000:])
            time.sleep(0.2)


def _free_ports(count: int) -> list[int]:
    with_sockets = [socket.socket() for _ in range(count)]
    try:
        for item in with_sockets:
            item.bind(("127.0.0.1", 0))
        return [item.getsockname()[1] for item in with_sockets]
    finally:
        for item in with_sockets:
            item.close()
