# SPDX-License-Identifier: Apache-2.0
"""Runs the tiers of tests one after another and counts them.

Every tier runs even if an earlier one failed, so that one run shows everything. A tier that ran no test has failed.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from collections.abc import Sequence

from tools.golang import REPOSITORY
from tools.tiers import go_tests
from tools.tiers import lint
from tools.tiers import python_tests
from tools.tiers import selection
from tools.tiers.count import Count
from tools.tiers.count import FAILED
from tools.tiers.count import NONE
from tools.tiers.count import say

TIERS: dict[str, Callable[[Sequence[str]], Count]] = {
    "lint": lint.run,
    "unit": python_tests.unit,
    "go": go_tests.run,
    "functional": python_tests.functional,
    "isolation": python_tests.isolation,
    "software": python_tests.software,
}
NEED_THE_DISTRIBUTION = {"go", "functional", "isolation", "software"}
# All of the software takes hours.
QUICK = {"software": ["quick"]}


def prepare() -> bool:
    """Install and build what the tiers with services need; whether that succeeded."""
    argv = [str(REPOSITORY / "tools" / "quickstart"), "prepare", "--distribution"]
    done = subprocess.run(argv, cwd=REPOSITORY, stdin=subprocess.DEVNULL, timeout=3600, check=False)
    if done.returncode:
        say("quickstart failed: go, functional, isolation and software cannot run")
    return done.returncode == 0


def run(tier: str, names: Sequence[str]) -> Count:
    """Run one tier and print what became of it."""
    say(f"== {tier}")
    try:
        count = TIERS[tier](names)
    except ValueError as error:
        say(f"{tier}: {error}")
        return FAILED
    if count == NONE:
        say(f"{tier}: no test was run" + (f": none is named {' or '.join(names)}" if names else ""))
        return FAILED
    return count


def main(words: Sequence[str]) -> int:
    """Run the tiers named on the command line, or all; 1 if a test failed, 2 if there is no such tier."""
    try:
        selected = selection.by_tier(words, TIERS, QUICK)
    except ValueError as error:
        say(f"tools/test: {error}; see tools/test --help")
        return 2
    prepared = not NEED_THE_DISTRIBUTION & set(selected) or prepare()
    total = NONE
    rows = []
    for tier, names in selected.items():
        started = time.monotonic()
        count = run(tier, names) if prepared or tier not in NEED_THE_DISTRIBUTION else FAILED
        seconds = time.monotonic() - started
        rows.append(f"{tier:<11}{count.passed:>5} passed {count.failed:>4} failed {seconds:>8.1f} s")
        total += count
    say("\n".join(["", *rows]))
    say(f"{total.passed} passed, {total.failed} failed")
    return int(total.failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
