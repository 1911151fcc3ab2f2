# SPDX-License-Identifier: Apache-2.0
"""The Go toolchain of the tests, and the linters of the Go modules: ``python -m tools.golang format|vet|staticcheck``.

Go is the machine's where it is new enough, else the one that the Python package index has. Modules and compiled
packages lie with the quickstart's where it has been run, so that nothing is compiled twice, else below ``~/.cache``.
"""

import argparse
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from distribution.builder import toolchain
from hypernetes.standalone import layout

REPOSITORY = Path(__file__).resolve().parents[1]
MODULES = ("runtime", "distribution/demo")
STATICCHECK = "honnef.co/go/tools/cmd/staticcheck@v0.8.2"
TIMEOUT_SECONDS = 900

LINTERS = {
    "format": ("gofmt", "-l", "."),
    "vet": ("go", "vet", "./..."),
    "staticcheck": ("go", "run", STATICCHECK, "./..."),
}


def cache_directory() -> Path:
    """Return where Go keeps its files: the quickstart's cache if this user may write there, else the user's own."""
    quickstart = Path(os.environ.get("HYPERNETES_CACHE") or layout.DEFAULT_CACHE) / "distribution"
    if os.access(quickstart, os.W_OK):
        return quickstart
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hypernetes"


@cache
def environment() -> dict[str, str]:
    """Return the variables with which Go is found and keeps its files in its cache directory."""
    versions = tomllib.loads((REPOSITORY / "distribution" / "versions.toml").read_text())["go"]
    directory = cache_directory()
    found = toolchain.provide(versions["minimum"], versions["pypi"], directory)
    path = f"{found.executable.parent}:{os.environ['PATH']}"
    return {**os.environ, **found.environment(directory), "PATH": path}


def lint(linter: str) -> bool:
    """Run one linter over all modules; whether none of them has a fault."""
    good = True
    for module in MODULES:
        done = subprocess.run(
            LINTERS[linter],
            cwd=REPOSITORY / module,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        # gofmt -l lists the files that it would change and reports success.
        if done.returncode or (linter == "format" and done.stdout):
            sys.stdout.write(f"{module}: {' '.join(LINTERS[linter])}\n{done.stdout}")
            good = False
    return good


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named linter; 1 if it found a fault."""
    parser = argparse.ArgumentParser(prog="python -m tools.golang", description=__doc__)
    parser.add_argument("linter", choices=sorted(LINTERS))
    return int(not lint(parser.parse_args(arguments).linter))


if __name__ == "__main__":
    sys.exit(main())
