# SPDX-License-Identifier: Apache-2.0
"""The whole table, run by hand: each program without resources and with limits, on both file systems.

Its results are rows of ``software.tsv`` beside the quickstart's logs, and end up in doc/source/reference/software.rst.
"""

from hypernetes.tests.isolation import base as living
from hypernetes.tests.software import base
from hypernetes.tests.software import image
from hypernetes.tests.software import programs

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


@base.table((program, UNLIMITED, kind) for program in programs.WHOLE for kind in base.DIRECTORIES)
class UnlimitedTest(WholeTest):
    """The machine has the operator's default for a container that states nothing."""

    pod = UNLIMITED
    resources = None


@base.table((program, LIMITED, kind) for program in programs.WHOLE for kind in base.DIRECTORIES)
class LimitedTest(WholeTest):
    """The machine is as big as the container's limits."""

    pod = LIMITED
    resources = LIMITS
