# SPDX-License-Identifier: Apache-2.0
"""The whole table, run by hand: each program without resources and with limits, on both file systems.

Its results are rows of ``software.tsv`` beside the quickstart's logs, and end up in doc/source/reference/software.rst.
"""

from collections.abc import Iterator

from hypernetes.tests.isolation import base as living
from hypernetes.tests.software import base
from hypernetes.tests.software import image
from hypernetes.tests.software import programs
from hypernetes.tests.software.programs import Program

UNLIMITED = "unlimited"
LIMITED = "limited"
LIMITS = {"limits": {"cpu": "2", "memory": "2Gi"}, "requests": base.SMALL_REQUESTS}


class WholeTest(base.SoftwareTest):
    recipe = image.WHOLE
    pod: str
    resources: dict[str, dict[str, str]] | None

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.create(base.manifest(cls.pod, cls.reference, resources=cls.resources))
        cls.red.wait_running(cls.pod, timeout=living.POD_START_SECONDS + base.PULL_SECONDS)


def rows(pod: str) -> Iterator[tuple[Program, str, str]]:
    """Return the rows of a pod: each program on both file systems, where it uses one."""
    for program in programs.WHOLE:
        for kind in base.DIRECTORIES if program.writes_files else ("image",):
            yield program, pod, kind


@base.table(rows(UNLIMITED))
class UnlimitedTest(WholeTest):
    """The machine has the operator's default for a container that states nothing."""

    pod = UNLIMITED
    resources = None


@base.table(rows(LIMITED))
class LimitedTest(WholeTest):
    """The machine is as big as the container's limits."""

    pod = LIMITED
    resources = LIMITS
