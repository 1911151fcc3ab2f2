# SPDX-License-Identifier: Apache-2.0
"""``go test -race`` of the Go modules, and boots of the real guest."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
from collections.abc import Sequence

from tools.golang import REPOSITORY
from tools.tiers.count import Count
from tools.tiers.count import FAILED
from tools.tiers.count import NONE
from tools.tiers.count import say
from tools.tiers.services import services_environment

SUITES = (
    # module, build tags, packages
    ("runtime", "", "./..."),
    ("runtime", "boot", "./internal/boottest"),
    ("runtime", "containerd", "./internal/integration"),
    ("distribution/demo", "", "./..."),
)


# Longer than the longest suite takes on a loaded machine. Go ends a suite that takes longer
# and says where each goroutine was; the second limit is for a suite that does not end then.
LIMIT_MINUTES = 20
LIMIT_SECONDS = (LIMIT_MINUTES + 3) * 60
GRACE_SECONDS = 5.0


def run(names: Sequence[str]) -> Count:
    """Run all suites; a tier of Go takes no names of tests.

    :raises ValueError: when a name is given.
    """
    if names:
        raise ValueError(f"go takes no names; for one test: cd runtime && go test -race -run {names[0]} ./...")
    total = NONE
    for module, tags, packages in SUITES:
        command = ["go", "test", "-race", "-count=1", "-json", "-timeout", f"{LIMIT_MINUTES}m", "-tags", tags, packages]
        status, output, errors = execute(command, REPOSITORY / module, services_environment(), LIMIT_SECONDS)
        count = results(output)
        if status and not count.failed:
            count += FAILED
        if count.failed:
            say(failures(output)[-12000:] + errors[-4000:])
        say(f"  {module} {tags or 'all'}: {count.passed} passed, {count.failed} failed")
        total += count
    return total


def execute(
    command: Sequence[str], directory: pathlib.Path, environment: dict[str, str], limit: float
) -> tuple[int, str, str]:
    """Run a program and return its status and what it wrote, also when it does not end within ``limit`` seconds.

    It is killed then, with what it started in its session.
    """
    with subprocess.Popen(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            try:
                output, errors = process.communicate(timeout=GRACE_SECONDS)
            except subprocess.TimeoutExpired as again:
                # A daemon in a session of its own lives on and has the output open. What was read is bytes here.
                output, errors = _text(again.stdout), _text(again.stderr)
            return 1, output, f"{errors}\n{command[0]} did not end within {limit:g} s and was killed\n"
        return process.returncode, output, errors


def _text(read: bytes | str | None) -> str:
    return read.decode(errors="replace") if isinstance(read, bytes) else read or ""


def _events(output: str) -> list[dict[str, str]]:
    events = []
    for line in output.splitlines():
        with contextlib.suppress(ValueError):  # what is not JSON, and the last line of a suite that was killed
            events.append(json.loads(line) if line.startswith("{") else {})
    return [event for event in events if event]


def results(output: str) -> Count:
    """Count the tests (not the packages) in the output of ``go test -json``."""
    events = [e for e in _events(output) if e.get("Test")]
    return Count(sum(e["Action"] == "pass" for e in events), sum(e["Action"] == "fail" for e in events))


def failures(output: str) -> str:
    """Return where tests failed, then what the failed ones printed (the end of it, since a daemon's log is long).

    A test that began and never ended counts among them.
    """
    events = _events(output)
    failed = {(e.get("Package"), e.get("Test")) for e in events if e["Action"] in ("fail", "build-fail")}
    ended = {(e.get("Package"), e.get("Test")) for e in events if e["Action"] in ("pass", "fail", "skip")}
    hung = {(e["Package"], e["Test"]) for e in events if e.get("Test")} - ended
    failed |= hung
    said = [
        e.get("Output", "")
        for e in events
        if (e.get("Package"), e.get("Test")) in failed or e["Action"] == "build-output"
    ]
    places = [line for line in said if re.match(r"\s*(--- FAIL|[a-z_]+_test\.go:\d+:)", line)]
    named = [f"{test} of {package} did not end\n" for package, test in sorted(hung)]
    return "".join(named + [line[:1000] for line in places]) + "".join(said)[-6000:]
