# SPDX-License-Identifier: Apache-2.0
"""Runs other programs: bounded in time and output, with an environment of their own, and never leaking a secret."""

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from oslo_log import log

LOG = log.getLogger(__name__)

HEAD_BYTES = 8 * 1024
TAIL_BYTES = 32 * 1024
LOCK_PAUSE_SECONDS = 0.1

_SECRETS = (
    # A kubeadm bootstrap token: id and secret (k8s.io/cluster-bootstrap/token/api).
    (re.compile(r"\b([a-z0-9]{6})\.[a-z0-9]{16}\b"), r"\1.<hidden>"),
    # The key of kubeadm's uploaded certificates. Other numbers of its form are ids of containers and images.
    (re.compile(r"(certificate[- ]key[=:\s]\s*)[0-9a-f]{64}\b"), r"\1<hidden>"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), "<hidden>"),
)


def without_secrets(text: str) -> str:
    """``text`` with everything that looks like a key or a token of Kubernetes hidden."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class CommandFailed(Exception):
    """A program ended badly or took too long; ``output`` holds the (bounded, cleaned) end of what it said."""

    def __init__(self, program: str, problem: str, output: str) -> None:
        self.program = program
        self.problem = problem
        self.output = output
        super().__init__(f"{program} {problem}: {self.last_words}")

    @property
    def last_words(self) -> str:
        """The last lines of the output, which is where programs say what went wrong; at most 1,200 characters."""
        return self.output.strip()[-1200:]


@dataclass(frozen=True, slots=True)
class Commands:
    """How the agent starts programs."""

    search_path: str
    timeout: float
    """Seconds a program may take unless the caller says otherwise."""
    lock: Path
    """File whose lock a running program holds, so that one a killed agent has left behind is waited for."""

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        timeout: float | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Run a program to its end and return what it wrote to both of its outputs.

        It gets no input and no variable of the agent's environment.

        :raises CommandFailed: it is not there, ended with a status other than 0, or was killed after ``timeout``.
        """
        program = Path(argv[0]).name
        limit = self.timeout if timeout is None else timeout
        with self._locked(program) as descriptor:
            return self._run(argv, program, limit, environment or {}, descriptor)

    @contextlib.contextmanager
    def _locked(self, program: str) -> Iterator[int]:
        self.lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + self.timeout
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise CommandFailed(program, "waited in vain for another program of the agent", "") from None
                    time.sleep(LOCK_PAUSE_SECONDS)
            yield descriptor
        finally:
            # The lock belongs to the open file, which a program that still runs has inherited.
            os.close(descriptor)

    def _run(
        self,
        argv: Sequence[str | Path],
        program: str,
        limit: float,
        environment: Mapping[str, str],
        descriptor: int,
    ) -> str:
        variables = {"PATH": self.search_path, "LANG": "C.UTF-8", "HOME": "/nonexistent", **environment}
        LOG.info("Running %s", without_secrets(" ".join(str(a) for a in argv)))
        try:
            # The first word is resolved by the child's PATH, not ours, hence the explicit environment.
            process = subprocess.Popen(  # noqa: S603 - the arguments are a list built by us; no shell
                [str(a) for a in argv],
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[descriptor],
            )
        except OSError as error:
            raise CommandFailed(program, "could not be started", str(error)) from error
        output = _BoundedOutput(process.stdout)
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired as error:
            _kill(process)
            raise CommandFailed(program, f"did not end within {limit:g} s", output.finish()) from error
        text = output.finish()
        for line in text.splitlines():
            LOG.debug("%s: %s", program, line)
        if status != 0:
            raise CommandFailed(program, f"ended with status {status}", text)
        return text


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        # Its own session, so the group is the program and what it started, and never the agent.
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class _BoundedOutput:
    """Reads a pipe to its end and keeps its beginning and its end."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        assert pipe is not None
        self._pipe = pipe
        self._head = b""
        self._tail = b""
        self._cut = False
        self._thread = threading.Thread(target=self._read, name="command-output", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._pipe:
            while chunk := os.read(self._pipe.fileno(), 16384):
                room = HEAD_BYTES - len(self._head)
                self._head += chunk[:room]
                self._tail += chunk[max(room, 0) :]
                if len(self._tail) > TAIL_BYTES:
                    self._cut = True
                    self._tail = self._tail[-TAIL_BYTES:]

    def finish(self) -> str:
        # A daemon the program left behind may hold the pipe open: its words are not waited for.
        self._thread.join(2)
        gap = b"\n[...]\n" if self._cut else b""
        return without_secrets((self._head + gap + self._tail).decode(errors="replace"))
