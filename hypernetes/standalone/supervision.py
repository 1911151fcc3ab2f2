# SPDX-License-Identifier: Apache-2.0
"""Long-running processes under ``supervisord``: one for the control services, one inside each node.

There need not be an init system on the machine. A supervisor is known by its pid and start time, its children
by the cgroup it was started in.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import shlex
import subprocess
import xmlrpc.client
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

from hypernetes.agent.host import services
from hypernetes.standalone import cgroups
from hypernetes.standalone import machine
from hypernetes.standalone import process

START_TIMEOUT = 15.0
CALL_TIMEOUT = 30.0
# supervisord answers when the program has ended: after its `stop_seconds` at the latest.
STOP_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Program:
    """One process to keep running.

    ``files`` are what it read at its start, configuration and code: when one of them changed, it is restarted.
    """

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    directory: Path | None = None
    stop_signal: str = "TERM"
    stop_seconds: int = 15
    start_seconds: int = 1
    whole_group: bool = True
    files: Sequence[Path] = ()

    def digest(self) -> str:
        """What the process was started with, as one short text."""
        digest = hashlib.sha256()
        for path in self.files:
            digest.update(str(path).encode())
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]


def render_program(program: Program, log: Path) -> str:
    """The ``[program:…]`` section; a percent sign is doubled because supervisor expands them."""

    def escape(text: str) -> str:
        return text.replace("%", "%%")

    # The digest stands in the environment because supervisor restarts a program whose section changed.
    environment = {**machine.base_environment(program.environment), "HYPERNETES_CONFIG_DIGEST": program.digest()}
    pairs = ",".join(f'{name}="{escape(value)}"' for name, value in sorted(environment.items()))
    lines = [
        f"[program:{program.name}]",
        f"command={escape(shlex.join(str(word) for word in program.command))}",
        f"environment={pairs}",
        f"stdout_logfile={escape(str(log))}",
        "redirect_stderr=true",
        "stdout_logfile_maxbytes=20MB",
        "stdout_logfile_backups=1",
        "autorestart=true",
        "startretries=5",
        f"startsecs={program.start_seconds}",
        f"stopsignal={program.stop_signal}",
        f"stopwaitsecs={program.stop_seconds}",
        f"stopasgroup={str(program.whole_group).lower()}",
        f"killasgroup={str(program.whole_group).lower()}",
    ]
    if program.user:
        lines.append(f"user={program.user}")
    if program.directory:
        lines.append(f"directory={program.directory}")
    return "\n".join(lines) + "\n"


def render_daemon(*, socket: Path, run: Path, log: Path, include: Path) -> str:
    """The configuration of one supervisord; only root may use its socket."""
    return f"""[supervisord]
logfile={log / "supervisord.log"}
logfile_maxbytes=20MB
logfile_backups=1
pidfile={run / "supervisord.pid"}
childlogdir={log}
nodaemon=true
silent=true
umask=022

[unix_http_server]
file={socket}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[include]
files = {include}/*.conf
"""


class Supervisor:
    """One supervisord and the programs it keeps.

    All paths are those of the host; a node's own paths are bind mounts of its state directory.

    :param identity: file that records which process the daemon is.
    :param log_inside: the log directory as the daemon sees it, where that differs.
    """

    def __init__(
        self,
        name: str,
        *,
        executable: Path,
        configuration: Path,
        programs: Path,
        socket: Path,
        identity: Path,
        log: Path,
        log_inside: Path | None = None,
    ) -> None:
        self.name = name
        self.group = cgroups.ProcessGroup(name)
        self.log = log
        self._log_inside = log_inside or log
        self._executable = executable
        self._configuration = configuration
        self._programs = programs
        self._socket = socket
        self._identity = identity

    @property
    def identity(self) -> process.ProcessIdentity | None:
        """The recorded daemon if it still runs."""
        recorded = process.load(self._identity)
        return recorded if recorded and recorded.alive else None

    def ensure_running(
        self, *, inside: Sequence[str | Path] = (), configuration: Path | None = None, keep_programs: bool = False
    ) -> bool:
        """Start the daemon unless it runs; true when it was started.

        What is left of a killed predecessor is ended first, since its children would hold ports and locks.

        :param inside: words that enter the namespaces to live in, such as ``nsenter …``.
        :param configuration: the configuration's path as seen ``inside``.
        :param keep_programs: start with the programs of last time, as a machine does at boot.
        """
        if self.identity and self._answers():
            return False
        self.group.end(grace=5)
        self._socket.unlink(missing_ok=True)
        for leftover in [] if keep_programs else self._programs.glob("*.conf"):
            leftover.unlink()
        self._programs.mkdir(parents=True, exist_ok=True)
        self.log.mkdir(parents=True, exist_ok=True)
        self._identity.parent.mkdir(parents=True, exist_ok=True)
        words = [*inside, self._executable, "--configuration", configuration or self._configuration]
        with (self.log / "supervisord.out").open("ab") as output:
            daemon = subprocess.Popen(  # noqa: S603 - no shell; the arguments are a list
                [str(word) for word in words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=machine.base_environment(),
                cwd="/",
                start_new_session=True,
                preexec_fn=self.group.enter,
            )
        identity = process.identify(daemon.pid)
        if identity:
            identity.save(self._identity)
        machine.wait_until(
            lambda: daemon.poll() is not None or self._answers(),
            f"supervisord of {self.name}",
            timeout=START_TIMEOUT,
            interval=0.02,
        )
        if daemon.returncode is not None:
            raise machine.StandaloneError(f"supervisord of {self.name} died at once, see {output.name}")
        return True

    def apply(self, program: Program) -> bool:
        """Have a program run with exactly this definition; true when it was (re)started."""
        text = render_program(program, self._log_inside / f"{program.name}.log")
        changed = machine.write(self._programs / f"{program.name}.conf", text, mode=0o600)
        state = self.state(program.name)
        if not changed and state in ("RUNNING", "STARTING"):
            return False
        proxy = self._proxy()
        if changed:
            proxy.supervisor.reloadConfig()
            if state is not None:
                self.stop(program.name)
                self._quietly(proxy.supervisor.removeProcessGroup, program.name)
            proxy.supervisor.addProcessGroup(program.name)
        # Already started by addProcessGroup (autostart) in the common case.
        self._quietly(proxy.supervisor.startProcess, program.name, False)
        return True

    def state(self, program: str) -> str | None:
        """Supervisor's word for the program's state (RUNNING, BACKOFF, FATAL, …); None when it has no such program."""
        try:
            info: Any = self._proxy().supervisor.getProcessInfo(program)
        except (xmlrpc.client.Fault, OSError):
            return None
        return str(info["statename"])

    def states(self) -> dict[str, str]:
        """All programs with their states; empty when the daemon does not run."""
        if not self.identity:
            return {}
        try:
            rows: Any = self._proxy().supervisor.getAllProcessInfo()
        except (xmlrpc.client.Fault, OSError):
            return {}
        return {row["name"]: row["statename"] for row in rows}

    def stop(self, program: str) -> None:
        """Stop one program and wait until it is gone; nothing happens when it does not run."""
        self._quietly(self._proxy(STOP_TIMEOUT).supervisor.stopProcess, program)

    def end(self, *, grace: float) -> None:
        """Stop all programs in an orderly way, then the daemon, then whatever outlived both."""
        identity = self.identity
        if identity and self._answers():
            # What does not end in time, or hangs and does not answer, is ended with its group.
            with contextlib.suppress(machine.NotReady, OSError, http.client.HTTPException, xmlrpc.client.Error):
                self._end_in_order(identity, grace)
        self.group.end(grace=5)
        self._identity.unlink(missing_ok=True)

    def _end_in_order(self, identity: process.ProcessIdentity, grace: float) -> None:
        # All at once; a shutdown alone would stop one after the other.
        self._quietly(self._proxy().supervisor.stopAllProcesses, False)
        with contextlib.suppress(machine.NotReady):
            machine.wait_until(self._all_stopped, f"programs of {self.name} stopped", timeout=grace)
        self._quietly(self._proxy().supervisor.shutdown)
        machine.wait_until(lambda: not identity.alive, f"end of {self.name}", timeout=grace)

    def _proxy(self, timeout: float = CALL_TIMEOUT) -> xmlrpc.client.ServerProxy:
        return xmlrpc.client.ServerProxy("http://supervisor", transport=services.UnixTransport(self._socket, timeout))

    def _all_stopped(self) -> bool:
        return not set(self.states().values()) & {"RUNNING", "STARTING", "STOPPING", "BACKOFF"}

    def _answers(self) -> bool:
        try:
            self._proxy().supervisor.getState()
        except (xmlrpc.client.Error, OSError):
            return False
        return True

    @staticmethod
    def _quietly(call: Any, *arguments: object) -> None:
        """Make a call whose refusal means that its aim is met already (not running, already started)."""
        with contextlib.suppress(xmlrpc.client.Fault):
            call(*arguments)
