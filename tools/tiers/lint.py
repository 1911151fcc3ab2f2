# SPDX-License-Identifier: Apache-2.0
"""The linters: pre-commit's hooks over all files; each hook counts as one test."""

import os
import re
from collections.abc import Sequence

from tools.tiers import program
from tools.tiers.count import Count
from tools.tiers.count import FAILED
from tools.tiers.count import NONE

_RESULT = re.compile(r"^[^\s-].*\.{3,}(?:\(.*\))?(Passed|Failed)$")


def parse(line: str) -> Count:
    """Count a line of pre-commit's output: the result of a hook, or nothing."""
    found = _RESULT.match(line.rstrip())
    return Count(int(found[1] == "Passed"), int(found[1] == "Failed")) if found else NONE


def run(hooks: Sequence[str]) -> Count:
    """Run the hooks, or all if none is named; what they print is shown as it comes."""
    if not hooks:
        return _run()
    total = NONE
    for hook in hooks:
        total += _run(hook)
    return total


def _run(*hook: str) -> Count:
    # A developer sees in the work tree what the hooks corrected; in CI only the diff shows it.
    diff = ["--show-diff-on-failure"] if os.environ.get("CI") else []
    argv = ["pre-commit", "run", "--color", "never", "--all-files", *diff, *hook]
    ended = program.run(argv)
    total = NONE
    for line in ended.output.splitlines():
        total += parse(line)
    # A hook that does not exist, a configuration that cannot be read: no hook failed, and the run did.
    return total + FAILED if ended.status and not total.failed else total
