# SPDX-License-Identifier: Apache-2.0
"""Fills an image registry with the images of a distribution tree."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import json
import os
import pathlib
import random
import socket
import subprocess
import tempfile
import time
import urllib.parse
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

from distribution.builder import oci
from distribution.builder.component import BuildError

# The largest image is 180 MB, between processes of one machine or one rack.
PUSH_TIMEOUT = 300.0
ASK_TIMEOUT = 30.0
ATTEMPTS = 4
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0
START_TIMEOUT = 30.0
STOP_TIMEOUT = 10.0
PARALLEL = 3


@dataclasses.dataclass(frozen=True)
class Target:
    """Where images go."""

    address: str
    """Host and port."""
    ca_file: pathlib.Path | None = None
    """The registry's CA certificate; None: the CAs of the machine."""
    plain: bool = False
    """HTTP without TLS, for a registry on the loopback only."""


def target(url: str, ca_file: pathlib.Path | None) -> Target:
    """Read a registry's URL.

    :raises BuildError: when it is not of the form ``https://HOST[:PORT]``.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" or not parts.netloc or parts.path.strip("/") or parts.query or "@" in parts.netloc:
        raise BuildError(f"the URL of a registry is https://HOST:PORT, not {url}")
    if ca_file is not None and not ca_file.is_file():
        raise BuildError(f"there is no certificate in {ca_file}")
    return Target(parts.netloc, ca_file)


def private_registry_configuration(address: str, store: pathlib.Path) -> dict[str, Any]:
    """Return the configuration of a registry process (distribution v3) that accepts pushes on the loopback.

    Written as JSON, which is YAML. The process that serves nodes has a configuration of its own and is read-only.
    """
    return {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(store)},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": {"addr": address},
    }


def layouts(tree: pathlib.Path) -> list[pathlib.Path]:
    """Return the image layouts of a distribution tree.

    :raises BuildError: when there is none.
    """
    found = sorted(marker.parent for marker in (tree / "images").rglob("oci-layout"))
    if not found:
        raise BuildError(f"{tree} holds no images; build them first")
    return found


def push(tree: pathlib.Path, where: Target, report: Callable[[str], None]) -> None:
    """Push every image of the tree to the registry; images already present are skipped.

    Reports a line per image.

    :raises BuildError: when the registry does not take an image.
    """
    crane = tree / "bin" / "crane"
    if not crane.is_file():
        raise BuildError(f"{crane} is missing; build the component crane first")
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        for line in pool.map(lambda layout: _push_one(crane, layout, where), layouts(tree)):
            report(line)


def _push_one(crane: pathlib.Path, layout: pathlib.Path, where: Target) -> str:
    started = time.monotonic()
    reference, digest = oci.reference_and_digest(layout)
    full = f"{where.address}/{reference}"
    what = "present"
    if _digest_at(crane, where, full) != digest:
        what = "pushed"
        _with_retries(lambda: _crane(crane, where, ["push", str(layout), full], PUSH_TIMEOUT), reference)
    return f"{reference:<40} {what:<8} {time.monotonic() - started:6.1f} s"


def _digest_at(crane: pathlib.Path, where: Target, full: str) -> str | None:
    """Return an image's digest; None if the registry lacks it or cannot be reached.

    The push that follows meets the same trouble, and then says so.
    """
    try:
        return _crane(crane, where, ["digest", full], ASK_TIMEOUT)
    except BuildError:
        return None


def _crane(crane: pathlib.Path, where: Target, arguments: list[str], timeout: float) -> str:
    """Run crane and return its output.

    :raises BuildError: when it fails; with its last message.
    """
    argv = [str(crane), *arguments, *(["--insecure"] if where.plain else [])]
    # Go reads the trusted CA certificates from this file.
    environment = {**os.environ, **({"SSL_CERT_FILE": str(where.ca_file)} if where.ca_file else {})}
    try:
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"no answer within {timeout:.0f} s") from error
    if done.returncode != 0:
        raise BuildError(done.stderr.strip()[-500:])
    return done.stdout.strip()


def pause(number: int, chance: float) -> float:
    """Return the seconds to wait after failure ``number``: doubled each time, bounded, and by
    ``chance`` (0 to 1) up to half shorter, so that many who failed together do not return together.
    """
    return min(FIRST_PAUSE * (1 << number), LONGEST_PAUSE) * (1 - chance / 2)


def _with_retries(attempt: Callable[[], object], reference: str) -> None:
    """Retry with exponential backoff and jitter.

    :raises BuildError: when every attempt fails; with the last reason.
    """
    for number in range(ATTEMPTS):
        try:
            attempt()
            return
        except BuildError as error:
            reason = error
        if number < ATTEMPTS - 1:
            time.sleep(pause(number, random.random()))  # noqa: S311 - spreads retries, guards nothing
    raise BuildError(f"the registry did not accept {reference}: {reason}")


def fill_store(tree: pathlib.Path, store: pathlib.Path, report: Callable[[str], None]) -> None:
    """Push every image of the tree into a registry's storage directory.

    A registry process of our own writes it, reachable on the loopback only and only for
    the time it takes; a read-only process may serve the same directory meanwhile.
    """
    with _private_registry(tree / "bin" / "registry", store) as where:
        push(tree, where, report)


@contextlib.contextmanager
def _private_registry(executable: pathlib.Path, store: pathlib.Path) -> Iterator[Target]:
    if not executable.is_file():
        raise BuildError(f"{executable} is missing; build the component registry first")
    store.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile() as log:
        address = f"127.0.0.1:{_free_port()}"
        config = pathlib.Path(directory) / "config.yaml"
        config.write_text(json.dumps(private_registry_configuration(address, store)))
        process = subprocess.Popen(
            [str(executable), "serve", str(config)],
            env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for(process, address, log)
            yield Target(address, plain=True)
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(process: subprocess.Popen[bytes], address: str, log: Any) -> None:
    """Wait until the registry accepts connections.

    :raises BuildError: when it does not; with its log.
    """
    host, port = address.rsplit(":", 1)
    deadline = time.monotonic() + START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        time.sleep(0.05)
    log.seek(0)
    raise BuildError(f"the registry did not start:\n{log.read().decode(errors='replace')[-2000:]}")
