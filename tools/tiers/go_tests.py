# SPDX-License-Identifier: Apache-2.0
"""``go test -race`` of the Go modules, and boots of the real guest."""

import json
import re
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


def run(names: Sequence[str]) -> Count:
    """Run all suites; a tier of Go takes no names of tests.

    :raises ValueError: when a name is given.
    """
    if names:
        raise ValueError(f"go takes no names; for one test: cd runtime && go test -race -run {names[0]} ./...")
    total = NONE
    for module, tags, packages in SUITES:
        done = subprocess.run(
            ["go", "test", "-race", "-count=1", "-json", "-timeout", "40m", "-tags", tags, packages],
            cwd=REPOSITORY / module,
            env=services_environment(),
            capture_output=True,
            text=True,
            timeout=2400,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        count = results(done.stdout)
        if done.returncode and not count.failed:
            count += FAILED
        if count.failed:
            say(failures(done.stdout)[-12000:] + done.stderr[-4000:])
        say(f"  {module} {tags or 'all'}: {count.passed} passed, {count.failed} failed")
        total += count
    return total


def _events(output: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def results(output: str) -> Count:
    """Count the tests (not the packages) in the output of ``go test -json``."""
    events = [e for e in _events(output) if e.get("Test")]
    return Count(sum(e["Action"] == "pass" for e in events), sum(e["Action"] == "fail" for e in events))


def failures(output: str) -> str:
    """Return where tests failed, then what the failed ones printed (the end of it, since a daemon's log is long)."""
    events = _events(output)
    failed = {(e.get("Package"), e.get("Test")) for e in events if e["Action"] in ("fail", "build-fail")}
    said = [
        e.get("Output", "")
        for e in events
        if (e.get("Package"), e.get("Test")) in failed or e["Action"] == "build-output"
    ]
    places = [line for line in said if re.match(r"\s*(--- FAIL|[a-z_]+_test\.go:\d+:)", line)]
    return "".join(line[:1000] for line in places) + "".join(said)[-6000:]
