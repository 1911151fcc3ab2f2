# SPDX-License-Identifier: Apache-2.0
"""The commands that builds have started, so that an interruption terminates them too."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import threading
from collections.abc import Mapping
from collections.abc import Sequence
from typing import IO


class Interrupted(Exception):
    """The run is being terminated; no further command starts."""


class Children:
    """Running commands, each in its own process group."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._ended = False

    def run(
        self,
        words: Sequence[str],
        *,
        cwd: pathlib.Path,
        env: Mapping[str, str],
        stdin: bytes,
        stdout: IO[bytes],
        stderr: IO[bytes],
        timeout: float,
    ) -> int:
        """Run a command and return its exit status.

        :raises FileNotFoundError: when the program does not exist.
        :raises subprocess.TimeoutExpired: when it takes longer than ``timeout`` seconds; its whole group is killed.
        :raises Interrupted: when ``end`` was called.
        """
        with self._lock:
            if self._ended:
                raise Interrupted
            process = subprocess.Popen(
                words,
                cwd=cwd,
                env=env,
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
            self._running.add(process)
        try:
            process.communicate(stdin, timeout=timeout)
        except BaseException:
            _kill(process, signal.SIGKILL)
            process.wait()
            raise
        finally:
            with self._lock:
                self._running.discard(process)
        if self._ended:
            raise Interrupted
        return process.returncode

    def end(self) -> None:
        """Terminate all commands and start no others; callers that wait for one get Interrupted."""
        with self._lock:
            self._ended = True
            for process in self._running:
                _kill(process, signal.SIGTERM)


def _kill(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the command's process group, which may have just exited."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
