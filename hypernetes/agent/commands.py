# SPDX-License-Identifier: Apache-2.0
"""Runs programs with bounded time and output and a minimal environment, and hides secrets in what they print."""

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
    """Hide everything in ``text`` that looks like a key or a token of Kubernetes."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class CommandFailed(Exception):
    """A program failed or timed out; ``output`` holds the bounded output without secrets."""

    def __init__(self, program: str, problem: str, output: str) -> None:
        self.program = program
        self.problem = problem
        self.output = output
        super().__init__(f"{program} {problem}: {self.last_words}")

    @property
    def last_words(self) -> str:
        """The end of the output, where programs report what went wrong; at most 1,200 characters."""
        return self.output.strip()[-1200:]


@dataclass(frozen=True, slots=True)
class Commands:
    """Starts programs, one at a time."""

    search_path: str
    timeout: float
    """Default timeout of a program in seconds."""
    lock: Path
    """File whose lock a running program holds, so that a restarted agent waits for a program its predecessor left."""

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        timeout: float | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Run a program to its end and return what it wrote to standard output and standard error.

        The program gets no input and no variable of the agent's environment.

        :raises CommandFailed: when it cannot be started, exits with a status other than 0 or times out.
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
                        raise CommandFailed(program, "timed out waiting for another command of the agent", "") from None
                    time.sleep(LOCK_PAUSE_SECONDS)
            yield descriptor
        finally:
            # The lock belongs to the open file description, which a program that still runs has inherited.
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
            # The first word is resolved by the PATH of this environment, not by the agent's.
            process = subprocess.Popen(  # noqa: S603 - the arguments are a list; no shell
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
            raise CommandFailed(program, f"timed out after {limit:g} s", output.finish()) from error
        text = output.finish()
        for line in text.splitlines():
            LOG.debug("%s: %s", program, line)
        if status != 0:
            raise CommandFailed(program, f"exited with status {status}", text)
        return text


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        # The program has its own session, so the group is the program and what it started, never the agent.
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class _BoundedOutput:
    """Reads a pipe to its end and keeps the beginning and the end of what it reads."""

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
        # A daemon that the program left may hold the pipe open; its output is not waited for.
        self._thread.join(2)
        gap = b"\n[...]\n" if self._cut else b""
        return without_secrets((self._head + gap + self._tail).decode(errors="replace"))
