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
    """Something that ends ``up`` with one line for the person who called it."""


class CommandFailed(StandaloneError):
    """A command ended with another status than 0; the text ends with what it wrote to standard error."""


class NotReady(StandaloneError):
    """A condition did not come true in time."""


def base_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A small, known environment: nothing of the caller's, such as OS_* or PYTHONPATH, leaks into services.

    A service that crashes in a library's C code leaves a traceback of all its threads in its log.
    """
    python = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONFAULTHANDLER": "1"}
    return {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", **python, **(extra or {})}


def package_client_environment() -> dict[str, str]:
    """What the caller was told about reaching package registries; for builds only."""
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

    :param timeout: seconds until it is killed
    :raises CommandFailed: when it fails or takes too long (only the latter when ``check`` is false)
    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(  # noqa: S603 - no shell, the words are ours
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
    """Run a long command, keep what it says in a file and hand over each line as it comes.

    :param in_child: called between fork and exec, to enter a control group
    :raises CommandFailed: when it fails, with its last lines, or takes longer than ``timeout`` seconds
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w") as kept,
        subprocess.Popen(  # noqa: S603 - no shell, the words are ours
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
    """Tell whether a probing command ends with status 0."""
    try:
        run(argv, timeout=timeout)
    except CommandFailed:
        return False
    return True


def wait_until(condition: Callable[[], bool], what: str, *, timeout: float, interval: float = 0.1) -> None:
    """Ask again and again, a little less often each time, until the condition holds.

    :raises NotReady: after ``timeout`` seconds, naming ``what`` was awaited
    """
    deadline = time.monotonic() + timeout
    pause = interval
    while not condition():
        if time.monotonic() > deadline:
            raise NotReady(f"{what}: not after {timeout:.0f} s")
        time.sleep(pause)
        pause = min(pause * 1.3, 1.0)


def write(path: Path, text: str, *, mode: int = 0o644, owner: tuple[int, int] | None = None) -> bool:
    """Put a file in place atomically; true when its content changed.

    The mode is set before the content is there, so a secret is never readable by others, not even for a moment.
    """
    return files.write(path, text, mode, owner)
