# SPDX-License-Identifier: Apache-2.0
"""Running a program whose output is shown as it comes, and read afterwards."""

import subprocess
import threading
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from tools.golang import REPOSITORY
from tools.tiers.count import say


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended, and what it wrote to standard output and standard error."""

    status: int
    output: str


def run(argv: Sequence[str], *, environment: Mapping[str, str] | None = None, timeout: float = 3600.0) -> Ended:
    """Run a program in the repository; it is killed when it takes longer than ``timeout`` seconds."""
    lines = []
    with subprocess.Popen(
        argv,
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        timer = threading.Timer(timeout, process.kill)
        timer.start()
        try:
            for line in process.stdout or ():
                say(line.rstrip("\n"))
                lines.append(line)
        finally:
            timer.cancel()
    return Ended(process.returncode, "".join(lines))
