# SPDX-License-Identifier: Apache-2.0
"""Runs the tiers of tests one after another and counts them; ``tools/test`` is its front.

Every tier runs even if an earlier one failed, so that one run tells everything. A tier that ran no test has failed.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from distribution.builder import toolchain
from hypernetes.standalone.layout import Layout

LAYOUT = Layout.from_environment()
REPOSITORY = LAYOUT.repository
BIN = Path(sys.executable).parent
GO_MODULES = ("runtime", "distribution/demo")


@dataclass(frozen=True, slots=True)
class Count:
    """How many tests passed and failed."""

    passed: int
    failed: int

    def __add__(self, other: "Count") -> "Count":
        return Count(self.passed + other.passed, self.failed + other.failed)


def say(text: str) -> None:
    """A line for the person who waits."""
    print(text, flush=True)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What every tier runs with: our tools first on the path, and where the distribution and the caches are."""
    env = dict(os.environ)
    env.update(go_environment())
    env["PATH"] = f"{BIN}:{LAYOUT.dist / 'bin'}:{env['HYPERNETES_GO']}:{env['PATH']}"
    env["HYPERNETES_DIST"] = env["HYPERNETES_DIST_DIR"] = str(LAYOUT.dist)
    env["HYPERNETES_GUEST_DIR"] = str(LAYOUT.dist / "guest")
    env.update(extra or {})
    return env


@cache
def go_environment() -> dict[str, str]:
    """The toolchain and the caches of the builder; they lie with ours, so that ``clean`` removes them."""
    versions = tomllib.loads((REPOSITORY / "distribution" / "versions.toml").read_text())["go"]
    found = toolchain.provide(versions["minimum"], versions["pypi"], LAYOUT.distribution_cache)
    return {**found.environment(LAYOUT.distribution_cache), "HYPERNETES_GO": str(found.executable.parent)}


def check(name: str, argv: Sequence[str], *, directory: Path = REPOSITORY, timeout: float = 900) -> Count:
    """One linter: passed if it ends with status 0 and, for those that list files, says nothing."""
    started = time.monotonic()
    done = subprocess.run(
        argv,
        cwd=directory,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    good = done.returncode == 0 and not (argv[0] == "gofmt" and done.stdout)
    say(f"  {'ok  ' if good else 'FAIL'} {name} ({time.monotonic() - started:.1f} s)")
    if not good:
        say(done.stdout[-8000:] + done.stderr[-8000:])
    return Count(int(good), int(not good))


def lint() -> Count:
    """ruff, hacking, mypy, import-linter, the docs; gofmt, vet and staticcheck."""
    total = Count(0, 0)
    for name, argv in (
        ("ruff check", ("ruff", "check")),
        ("ruff format", ("ruff", "format", "--check")),
        ("hacking", ("flake8", "--select", "H", "hypernetes", "distribution")),
        ("mypy --strict", ("mypy",)),
        ("import-linter", ("lint-imports",)),
        ("largest file", (sys.executable, "-m", "hypernetes.tests.largest")),
        ("docs", ("sphinx-build", "-q", "-W", "--keep-going", "-b", "html", "doc/source", str(LAYOUT.cache / "doc"))),
    ):
        total += check(name, argv)
    for module in GO_MODULES:
        folder = REPOSITORY / module
        if not (folder / "go.mod").exists():
            continue
        total += check(f"gofmt {module}", ("gofmt", "-l", "."), directory=folder)
        total += check(f"go vet {module}", ("go", "vet", "./..."), directory=folder)
        total += check(f"staticcheck {module}", ("go", "run", STATICCHECK, "./..."), directory=folder)
    return total


STATICCHECK = "honnef.co/go/tools/cmd/staticcheck@v0.8.2"


def stestr(folder: str, *, concurrency: int) -> Count:
    """One of the Python tiers."""
    base = (
        "stestr",
        "--test-path",
        f"./hypernetes/tests/{folder}",
        "--repo-url",
        str(LAYOUT.cache / "stestr" / folder),
    )
    Path(base[-1]).mkdir(parents=True, exist_ok=True)
    env = environment()
    subprocess.run(
        (*base, "run", "--concurrency", str(concurrency)),
        cwd=REPOSITORY,
        env=env,
        timeout=3600,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    last = subprocess.run(
        (*base, "last"), cwd=REPOSITORY, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    figures = {k: int(v) for k, v in re.findall(r"- (Passed|Failed|Unexpected Success): (\d+)", last.stdout)}
    return Count(figures.get("Passed", 0), figures.get("Failed", 0) + figures.get("Unexpected Success", 0))


def unit() -> Count:
    """Seconds; no service."""
    return stestr("unit", concurrency=2)


def functional() -> Count:
    """The API's contract, MariaDB, RabbitMQ, an apiserver: each test starts what it needs."""
    return stestr("functional", concurrency=1)


def isolation() -> Count:
    """Attacks on the living stack, which ``tools/quickstart`` starts or mends first."""
    # Two conductors, since leases must keep them apart under everything the tests do.
    up = subprocess.run(
        [REPOSITORY / "tools" / "quickstart", "up"],
        cwd=REPOSITORY,
        env={**os.environ, "HYPERNETES_CONDUCTORS": "2"},
        stdin=subprocess.DEVNULL,
        timeout=3600,
        check=False,
    )
    shown = Count(int(up.returncode == 0), int(up.returncode != 0))
    if up.returncode:
        say("quickstart failed: the isolation tests have no stack to attack")
        return shown
    return shown + stestr("isolation", concurrency=1)


def go() -> Count:
    """``go test -race`` of our modules, and a boot of the real guest."""
    total = Count(0, 0)
    for module, tags, packages in (
        ("runtime", "", "./..."),
        ("runtime", "boot", "./internal/boottest"),
        ("runtime", "containerd", "./internal/integration"),
        ("distribution/demo", "", "./..."),
    ):
        folder = REPOSITORY / module
        done = subprocess.run(
            ["go", "test", "-race", "-count=1", "-json", "-timeout", "40m", "-tags", tags, packages],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=2400,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        count = go_results(done.stdout)
        if done.returncode and not count.failed:
            count += Count(0, 1)
        if count.failed:
            say(go_failures(done.stdout)[-12000:] + done.stderr[-4000:])
        say(f"  {module} {tags or 'all'}: {count.passed} passed, {count.failed} failed")
        total += count
    return total


def _go_events(output: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def go_results(output: str) -> Count:
    """Count the tests (not the packages) in the output of ``go test -json``."""
    events = [e for e in _go_events(output) if e.get("Test")]
    return Count(sum(e["Action"] == "pass" for e in events), sum(e["Action"] == "fail" for e in events))


def go_failures(output: str) -> str:
    """Where tests failed, then what the failed ones printed (the end of it, since a daemon's log is long)."""
    events = _go_events(output)
    failed = {(e.get("Package"), e.get("Test")) for e in events if e["Action"] in ("fail", "build-fail")}
    said = [
        e.get("Output", "")
        for e in events
        if (e.get("Package"), e.get("Test")) in failed or e["Action"] == "build-output"
    ]
    places = [line for line in said if re.match(r"\s*(--- FAIL|[a-z_]+_test\.go:\d+:)", line)]
    return "".join(line[:1000] for line in places) + "".join(said)[-6000:]


TIERS: dict[str, tuple[Callable[[], Count], bool]] = {
    # name: (runs it, whether it needs the distribution to be built)
    "lint": (lint, False),
    "unit": (unit, False),
    "go": (go, True),
    "functional": (functional, True),
    "isolation": (isolation, True),
}


def main() -> int:
    """Run the tiers named on the command line, or all."""
    parser = argparse.ArgumentParser(prog="tools/test", description=__doc__)
    parser.add_argument("tiers", nargs="*", metavar="TIER", help=f"one of {', '.join(TIERS)}; default: all")
    names = parser.parse_args().tiers or list(TIERS)
    unknown = set(names) - set(TIERS)
    if unknown:
        parser.error(f"no tier {', '.join(sorted(unknown))}; there are {', '.join(TIERS)}")
    if any(TIERS[name][1] for name in names):
        subprocess.run(
            [REPOSITORY / "tools" / "quickstart", "prepare", "--distribution"], cwd=REPOSITORY, check=True, timeout=3600
        )
    total = Count(0, 0)
    rows = []
    for name in names:
        say(f"== {name}")
        started = time.monotonic()
        count = TIERS[name][0]()
        if count == Count(0, 0):
            say(f"{name}: no test was run")
            count = Count(0, 1)
        rows.append(f"{name:<11}{count.passed:>5} passed {count.failed:>4} failed {time.monotonic() - started:>8.1f} s")
        total += count
    say("\n".join(["", *rows]))
    say(f"{total.passed} passed, {total.failed} failed")
    return int(total.failed > 0)


if __name__ == "__main__":
    sys.exit(main())
