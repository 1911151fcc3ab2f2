# SPDX-License-Identifier: Apache-2.0
"""What one project asks of the conductors does not delay another's."""

import json
import statistics
import time
import uuid
from typing import Any

from hypernetes.tests.isolation import base

_ASKED = 30
_TIMES = 3
_NOISE_SECONDS = 3.0
"""Differences that a busy machine alone causes."""


class FairnessTest(base.IsolationTest):
    def activation(self) -> float:
        """The seconds until a namespace of blue's is ACTIVE."""
        began = time.monotonic()
        namespace = base.Namespace("blue", "fair")
        self.addCleanup(namespace.delete)
        namespace.wait_active(timeout=300)
        return time.monotonic() - began

    def test_namespaces_in_error_of_one_project_do_not_delay_anothers(self) -> None:
        quiet = [self.activation() for _ in range(_TIMES)]
        refused = [base.Namespace("red", "refused", network_id=str(uuid.uuid4())) for _ in range(_ASKED)]
        for namespace in refused:
            self.addCleanup(namespace.delete, 600)
        while_asked = [self.activation() for _ in range(_TIMES)]
        base.eventually(
            lambda: all(namespace.record()["status"] == "ERROR" for namespace in refused), "red's ERROR", timeout=300
        )
        in_error = [self.activation() for _ in range(_TIMES)]
        allowed = 1.2 * statistics.median(quiet) + _NOISE_SECONDS
        self.assertLess(statistics.median(in_error), allowed, (quiet, while_asked, in_error))

    def test_a_pod_beyond_the_namespaces_quota_is_refused_by_its_name(self) -> None:
        namespace = self.namespace("red", "capacity").wait_active()
        pod = base.pod("large")
        pod["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "100000"}}
        large = _tried(namespace, pod)
        self.assertIn("exceeded quota: hypernetes", large.text)
        self.assertIn("limited: requests.cpu=", large.text)
        pod["spec"]["containers"][0]["resources"] = {}
        self.assertEqual(0, _tried(namespace, pod).status)


def _tried(namespace: base.Namespace, pod: dict[str, Any]) -> base.Result:
    """What the apiserver would answer to the creation of a pod."""
    return namespace.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))
