# SPDX-License-Identifier: Apache-2.0
"""What components share: directories, passwords, certificates, supervisors and one-time steps."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from pathlib import Path

from hypernetes.standalone import addresses
from hypernetes.standalone import machine
from hypernetes.standalone.layout import Layout
from hypernetes.standalone.passwords import Passwords
from hypernetes.standalone.supervision import Supervisor
from hypernetes.standalone.tls import CertificateAuthority


class Installation:
    """One standalone environment on this machine."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.password = Passwords(layout.secrets)
        self.ca = CertificateAuthority(layout.tls)
        # Of its own: each node has certificates of the other for other purposes.
        self.webhook_clients = CertificateAuthority(
            layout.tls / "webhook-clients", name="Hypernetes standalone webhook clients"
        )
        self.control = Supervisor(
            "control",
            executable=layout.venv / "bin/supervisord",
            configuration=layout.state / "supervisor/supervisord.conf",
            programs=layout.state / "supervisor/programs",
            socket=layout.run / "supervisor.sock",
            identity=layout.run / "supervisor.json",
            log=layout.log,
        )
        self._lock = threading.Lock()
        self.say: Callable[[str], object] = lambda _text: None
        """Function to which a long step reports its progress; silent unless a command sets it."""

    def node_supervisor(self, node: str) -> Supervisor:
        """Return the supervisor inside a node; its socket and files are reached through the node's state directory."""
        directory = self.layout.node(node)
        return Supervisor(
            node,
            executable=self.layout.venv / "bin/supervisord",
            configuration=directory / "etc/hypernetes/supervisord.conf",
            programs=directory / "etc/hypernetes/supervisor.d",
            socket=directory / "run/hypernetes/supervisor.sock",
            identity=self.layout.run / f"{node}.json",
            log=directory / "log/hypernetes",
            log_inside=Path("/var/log/hypernetes"),
        )

    def workers(self) -> list[str]:
        """Return the nodes that the last ``up --nodes`` has asked for, without the control node."""
        wanted = self.recorded("nodes")
        return list(addresses.NODES)[1 : int(wanted[-1]) if wanted else 1]

    def nodes(self) -> list[str]:
        """Return the nodes that have a state directory."""
        return [name for name in addresses.NODES if self.layout.node(name).is_dir()]

    def once(self, step: str, fingerprint: object, action: Callable[[], None]) -> bool:
        """Run a step with a lasting effect, such as a database migration, unless it has run with the same fingerprint.

        The mark is set after the action has returned, so an interrupted action runs again and must allow that.

        :returns: whether the action ran.
        """
        mark = self.layout.state / "done" / step
        wanted = hashlib.sha256(json.dumps(fingerprint, sort_keys=True, default=str).encode()).hexdigest()
        if mark.exists() and mark.read_text() == wanted:
            return False
        action()
        machine.write(mark, wanted)
        return True

    def forget(self, step: str) -> None:
        """Have the next ``once`` run a step again."""
        (self.layout.state / "done" / step).unlink(missing_ok=True)

    def record(self, name: str, *values: str) -> None:
        """Add to a list that must outlive this process, such as the directories that ``clean`` removes."""
        with self._lock:
            known = self.recorded(name)
            fresh = [value for value in values if value not in known]
            if fresh:
                machine.write(self._record(name), "".join(f"{value}\n" for value in [*known, *fresh]))

    def remember(self, name: str, value: str) -> None:
        """Record one value in place of an earlier one."""
        machine.write(self._record(name), f"{value}\n")

    def recorded(self, name: str) -> list[str]:
        """Return what was recorded under a name, in that order."""
        path = self._record(name)
        return path.read_text().splitlines() if path.exists() else []

    def executable(self, name: str) -> Path:
        """Return the path of a command in the virtual environment."""
        return self.layout.venv / "bin" / name

    def _record(self, name: str) -> Path:
        return self.layout.state / "records" / name
