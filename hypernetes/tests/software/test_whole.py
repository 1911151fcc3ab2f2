# SPDX-License-Identifier: Apache-2.0
"""The whole table, run by hand: each program without resources, with limits and under plain runc, on both file systems.

Its results are rows of ``software.tsv`` beside the quickstart's logs, and end up in doc/source/reference/software.rst.
"""

from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from hypernetes.tests.isolation import base as living
from hypernetes.tests.isolation import plain
from hypernetes.tests.software import base
from hypernetes.tests.software import image
from hypernetes.tests.software import programs
from hypernetes.tests.software.programs import Program

PLAIN = "plain"
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
        cls.create(cls.manifest())
        cls.pods.wait_running(cls.pod, timeout=living.POD_START_SECONDS + base.PULL_SECONDS)

    @classmethod
    def manifest(cls) -> dict[str, Any]:
        """Return the pod of the class."""
        return base.manifest(cls.pod, cls.reference, resources=cls.resources)


def rows(pod: str, table: Sequence[Program] = programs.WHOLE) -> Iterator[tuple[Program, str, str]]:
    """Return the rows of a pod: each program on both file systems, where it uses one."""
    for program in table:
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


# Not stress-ng: as root on the node, without a limit to what it writes, it has filled the node's disk.
@base.table(rows(PLAIN, [program for program in programs.WHOLE if program not in programs.STRESS]))
class PlainTest(WholeTest):
    """The reference: containerd's plain runc on the same node. What fails here too is not a fault of the machine."""

    pod = PLAIN
    resources = LIMITS

    @classmethod
    def provide_pods(cls) -> living.Pods:
        system = plain.System(cls.enterClassContext(plain.administrator()))
        cls.addClassCleanup(system.kubectl, "delete", "pod", PLAIN, "--ignore-not-found", "--timeout=60s")
        return system

    @classmethod
    def manifest(cls) -> dict[str, Any]:
        (made,) = plain.on_the_node([super().manifest()])
        return made
