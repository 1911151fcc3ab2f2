# SPDX-License-Identifier: Apache-2.0
"""The tiers that stestr runs: unit in the developers' environment, functional and isolation in the quickstart's."""

import os
import re
import subprocess
from collections.abc import Mapping
from collections.abc import Sequence

from tools import golang
from tools.tiers import program
from tools.tiers import selection
from tools.tiers.count import Count
from tools.tiers.count import FAILED
from tools.tiers.count import PASSED
from tools.tiers.count import say
from tools.tiers.services import services_environment

_FIGURE = re.compile(r"^ - (Passed|Failed|Unexpected Success): (\d+)$", re.MULTILINE)


def parse(summary: str) -> Count:
    """Count the tests in the summary at the end of stestr's output."""
    figures = {name: int(number) for name, number in _FIGURE.findall(summary)}
    return Count(figures.get("Passed", 0), figures.get("Failed", 0) + figures.get("Unexpected Success", 0))


def unit(names: Sequence[str]) -> Count:
    """Run the unit tests: seconds, no service, no root."""
    return _stestr("unit", names, os.environ)


def functional(names: Sequence[str]) -> Count:
    """Run the functional tests: the API's contract, MariaDB, RabbitMQ, an apiserver; each starts what it needs."""
    return _stestr("functional", names, services_environment(), "--concurrency", "1")


def isolation(names: Sequence[str]) -> Count:
    """Run the attacks on a running deployment, which tools/quickstart starts or repairs first."""
    return _on_the_deployment("isolation", names)


def software(names: Sequence[str]) -> Count:
    """Run Debian's software in pods of a running deployment; a full run of hours unless names select less."""
    return _on_the_deployment("software", names)


def _on_the_deployment(tier: str, names: Sequence[str]) -> Count:
    # Two conductors, since leases must keep them apart under everything the tests do.
    up = subprocess.run(
        [golang.REPOSITORY / "tools" / "quickstart", "up"],
        cwd=golang.REPOSITORY,
        env={**os.environ, "HYPERNETES_CONDUCTORS": "2"},
        stdin=subprocess.DEVNULL,
        timeout=3600,
        check=False,
    )
    if up.returncode:
        say(f"quickstart failed: the {tier} tests have no running deployment")
        return FAILED
    return PASSED + _stestr(tier, names, services_environment(), "--concurrency", "1")


def _stestr(tier: str, names: Sequence[str], environment: Mapping[str, str], *options: str) -> Count:
    """Run one tier's tests whose ids match any of the names, or all of them."""
    patterns = [selection.pattern(tier, name) for name in names]
    directory = selection.directory(golang.REPOSITORY, tier, names)
    argv = ["stestr", "--test-path", str(directory.relative_to(golang.REPOSITORY)), "run", *options, *patterns]
    ended = program.run(argv, environment=environment)
    count = parse(ended.output)
    # It could not even load the tests, or a worker died: no test failed, and the run did.
    return count + FAILED if ended.status and not count.failed else count
