# SPDX-License-Identifier: Apache-2.0
"""Long-running programs of a node, kept alive by a service manager the agent talks to.

The agent does not keep containerd and kubelet itself: they outlive it. One driver exists, for supervisor;
the interface is what systemd would need too.
"""

import enum
import http.client
import shlex
import socket
import time
import xmlrpc.client
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any
from typing import Protocol

from oslo_log import log

from hypernetes.agent import files

LOG = log.getLogger(__name__)

POLL_SECONDS = 0.1


class ServiceState(enum.StrEnum):
    """State of a program as the service manager sees it."""

    RUNNING = "RUNNING"
    """It has run for longer than its start-up time."""
    STARTING = "STARTING"
    """It was started, or is about to be restarted."""
    STOPPED = "STOPPED"
    """It was stopped on request, or never started."""
    FAILED = "FAILED"
    """It exited repeatedly, and the service manager has given up."""
    UNKNOWN = "UNKNOWN"
    """The service manager does not know it, or does not answer."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program as the service manager should run it."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    """Visible to root in /proc and in the program file: nothing secret."""


class SupervisorFailed(Exception):
    """The service manager refused or did not answer."""


class ServiceManager(Protocol):
    """What the agent needs of a service manager. Each call may be repeated."""

    def install(self, program: Program) -> None:
        """Have the manager run ``program``; restart it if its definition has changed."""

    def restart(self, name: str) -> None:
        """Stop the program if it runs, and start it."""

    def remove(self, name: str) -> None:
        """Stop the program and remove its definition; does nothing for an unknown one."""

    def state(self, name: str) -> ServiceState:
        """Return the program's state; never raises."""


_SUPERVISOR_STATES = {
    "RUNNING": ServiceState.RUNNING,
    "STARTING": ServiceState.STARTING,
    "BACKOFF": ServiceState.STARTING,
    "EXITED": ServiceState.STARTING,  # autorestart is on: it is about to be restarted
    "STOPPING": ServiceState.STOPPED,
    "STOPPED": ServiceState.STOPPED,
    "FATAL": ServiceState.FAILED,
}


def program_file(program: Program, logs: Path) -> str:
    """Render the supervisor section of a program."""
    environment = ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(program.environment.items()))
    lines = [
        "; Written by hypernetes-agent; changes are lost.",
        f"[program:{program.name}]",
        f"command={_escaped(shlex.join(program.command))}",
        *([f"environment={environment}"] if environment else []),
        "autostart=true",
        "autorestart=true",
        "startsecs=1",
        # A start may fail while another program is down; the pauses in between grow by one second each.
        "startretries=1000",
        "stopwaitsecs=20",
        # Shims, and so the pods, are children of containerd and must outlive it.
        "stopasgroup=false",
        "killasgroup=false",
        f"stdout_logfile={logs / program.name}.log",
        "stdout_logfile_maxbytes=50MB",
        "stdout_logfile_backups=2",
        "redirect_stderr=true",
    ]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


class Supervisor:
    """Driver for supervisor through its XML-RPC on a Unix socket."""

    # Fault codes of supervisor.xmlrpc.Faults.
    _BAD_NAME = 10
    _ALREADY_STARTED = 60
    _NOT_RUNNING = 70
    _ALREADY_ADDED = 90

    def __init__(self, connection: Path, programs: Path, logs: Path, timeout: float = 30.0) -> None:
        self._connection = connection
        self._programs = programs
        self._logs = logs
        self._timeout = timeout

    def install(self, program: Program) -> None:
        self._logs.mkdir(parents=True, exist_ok=True)
        changed = files.write(self._file(program.name), program_file(program, self._logs), 0o644)
        added, differing, _removed = self._call("reloadConfig")[0]
        if program.name in differing:
            self._forget(program.name)
            added = [*added, program.name]
        elif changed and program.name not in added:
            # supervisor compares only what it parses; a file rewritten to the same meaning needs nothing.
            LOG.debug("The program file of %s changed in form only", program.name)
        if program.name in added:
            # autostart starts it.
            self._call("addProcessGroup", program.name, unless=self._ALREADY_ADDED)
        elif self.state(program.name) in {ServiceState.STOPPED, ServiceState.FAILED}:
            self._call("startProcess", program.name, False, unless=self._ALREADY_STARTED)

    def restart(self, name: str) -> None:
        self._call("stopProcess", name, True, unless=self._NOT_RUNNING)
        self._call("startProcess", name, False, unless=self._ALREADY_STARTED)

    def remove(self, name: str) -> None:
        self._file(name).unlink(missing_ok=True)
        self._call("reloadConfig")
        self._forget(name)

    def state(self, name: str) -> ServiceState:
        try:
            answer = self._call("getProcessInfo", name, unless=self._BAD_NAME)
        except SupervisorFailed as error:
            LOG.warning("The state of %s is unknown: %s", name, error)
            return ServiceState.UNKNOWN
        if answer is None:
            return ServiceState.UNKNOWN
        return _SUPERVISOR_STATES.get(answer["statename"], ServiceState.UNKNOWN)

    def _forget(self, name: str) -> None:
        self._call("stopProcess", name, True, unless=(self._NOT_RUNNING, self._BAD_NAME))
        self._call("removeProcessGroup", name, unless=self._BAD_NAME)

    def _file(self, name: str) -> Path:
        return self._programs / f"{name}.conf"

    def _call(self, method: str, *arguments: Any, unless: int | tuple[int, ...] = ()) -> Any:
        """Call supervisor; the faults in ``unless`` mean that there was nothing to do."""
        accepted = unless if isinstance(unless, tuple) else (unless,)
        proxy = xmlrpc.client.ServerProxy(
            "http://supervisor", transport=UnixTransport(self._connection, self._timeout), allow_none=True
        )
        try:
            with proxy:
                return getattr(proxy.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode in accepted:
                return None
            raise SupervisorFailed(f"supervisor refused {method}: {fault.faultString}") from fault
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError) as error:
            raise SupervisorFailed(f"supervisor does not answer at {self._connection}: {error}") from error


class UnixTransport(xmlrpc.client.Transport):
    """XML-RPC over a Unix socket, with a timeout in seconds for each operation."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__()
        self._path = path
        self._timeout = timeout

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        del host
        return _UnixConnection(self._path, self._timeout)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("supervisor", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def wait_until(ready: Callable[[], bool], seconds: float) -> bool:
    """Call ``ready`` until it returns true or the time is over; return its last result."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
