# SPDX-License-Identifier: Apache-2.0
"""Commands run on this machine: always with a deadline, never through a shell, with the error text kept."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path

from hypernetes.agent import files

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class StandaloneError(Exception):
    """An error that ends the command with one line for its caller."""


class CommandFailed(StandaloneError):
    """A command failed; the text ends with what it wrote to standard error."""


class NotReady(StandaloneError):
    """A condition did not become true in time."""


def base_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a minimal environment: no variable of the caller, such as OS_* or PYTHONPATH, reaches services.

    A service that crashes in a library's C code leaves a traceback of all its threads in its log.
    """
    python = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONFAULTHANDLER": "1"}
    return {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", **python, **(extra or {})}


def package_client_environment() -> dict[str, str]:
    """Return the caller's settings for reaching package registries; for builds only."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("PIP_", "UV_", "SSL_CERT_", "GO")) or name.lower().endswith("_proxy")
    }


def run(
    argv: Sequence[str | Path],
    *,
    timeout: float = 60,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    stdin: str | None = None,
    check: bool = True,
) -> str:
    """Run one command and return its standard output.

    :param timeout: seconds until it is killed.
    :raises CommandFailed: when it fails or takes too long (only the latter when ``check`` is false).
    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(  # noqa: S603 - no shell; the arguments are a list
            words,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=base_environment(environment),
            cwd=directory,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{words[0]} took longer than {timeout:.0f} s: {' '.join(words)}") from error
    except FileNotFoundError as error:
        raise CommandFailed(f"{words[0]} is not installed") from error
    if check and done.returncode:
        tail = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise CommandFailed(f"{' '.join(words)} ended with status {done.returncode}: {tail}")
    return done.stdout


def run_logged(
    argv: Sequence[str | Path],
    *,
    log: Path,
    timeout: float,
    on_line: Callable[[str], object],
    in_child: Callable[[], None],
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a long command, write its output to a file and pass on each line.

    :param in_child: called between fork and exec, to enter a control group.
    :raises CommandFailed: when it fails, with its last lines, or takes longer than ``timeout`` seconds.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w") as kept,
        subprocess.Popen(  # noqa: S603 - no shell; the arguments are a list
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=base_environment(environment),
            preexec_fn=in_child,
        ) as child,
    ):
        clock = threading.Timer(timeout, child.kill)
        clock.start()
        try:
            for line in child.stdout or ():
                kept.write(line)
                kept.flush()
                on_line(line.rstrip())
            status = child.wait()
        finally:
            clock.cancel()
    if status:
        tail = "\n    ".join(log.read_text().splitlines()[-15:])
        raise CommandFailed(f"{argv[0]} ended with status {status}; the whole log is {log}:\n    {tail}")


def succeeds(argv: Sequence[str | Path], *, timeout: float = 20) -> bool:
    """Return whether a command exits with status 0."""
    try:
        run(argv, timeout=timeout)
    except CommandFailed:
        return False
    return True


def wait_until(condition: Callable[[], bool], what: str, *, timeout: float, interval: float = 0.1) -> None:
    """Check a condition, a little less often each time, until it holds.

    :param what: what is awaited, for the error.
    :raises NotReady: when it does not hold after ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    pause = interval
    while not condition():
        if time.monotonic() > deadline:
            raise NotReady(f"{what}: not ready after {timeout:.0f} s")
        time.sleep(pause)
        pause = min(pause * 1.3, 1.0)


def write(path: Path, text: str, *, mode: int = 0o644, owner: tuple[int, int] | None = None) -> bool:
    """Write a file atomically; return whether its content changed.

    The mode is set before the content is written, so a secret is never readable by other users.
    """
    return files.write(path, text, mode, owner)
