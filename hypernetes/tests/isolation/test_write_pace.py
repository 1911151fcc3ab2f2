# SPDX-License-Identifier: Apache-2.0
"""Large writes of a tenant are paced on the living stack: the apiserver asks, with its client certificate."""

import json
import re
import unittest

from hypernetes.auth import write_pace
from hypernetes.tests.isolation import base

SIZE = 900 << 10
_ANSWER = re.compile(r"/write-pace\S* 200 (\d+)ms")


class WritePaceTest(unittest.TestCase):
    """The apiserver would go on without an answer, so only the webhook's log says whether there was one."""

    def test_a_large_write_takes_its_time(self) -> None:
        log = base.LAYOUT.log / "hypernetes-webhook.log"
        before = log.stat().st_size
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "large"}, "data": {"v": "x" * SIZE}}
        created = base.kubectl("red", "-n", "red", "create", "--dry-run=server", "-f", "-", stdin=json.dumps(manifest))
        self.assertEqual(0, created.status, created.text)
        least = 1000 * write_pace.WritePace(write_pace.Settings()).seconds(SIZE)

        def paced() -> bool:
            with log.open("rb") as file:
                file.seek(before)
                answers = _ANSWER.findall(file.read().decode(errors="replace"))
            return any(int(milliseconds) >= least - 10 for milliseconds in answers)

        base.eventually(paced, f"an answer of the webhook after {least:.0f} ms", timeout=10)
