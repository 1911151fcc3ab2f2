# SPDX-License-Identifier: Apache-2.0
"""Waiting for a resource, and the lines that are printed meanwhile."""

import io
from contextlib import redirect_stderr
from types import SimpleNamespace
from typing import Any

import testtools
from openstack import exceptions as sdk
from osc_lib import exceptions

from hypernetes.osc import wait
from hypernetes.sdk.namespace import Namespace


class WaitTest(testtools.TestCase):
    """Until it is so, or cannot be."""

    def setUp(self) -> None:
        super().setUp()
        self.time = 0.0
        self.progress = io.StringIO()
        shown = redirect_stderr(self.progress)
        shown.__enter__()
        self.addCleanup(shown.__exit__, None, None, None)

    def _until(self, wanted: str | None, *states: Any, seconds: float = 100.0) -> Any:
        items = iter(states)

        def read() -> Any:
            item = next(items)
            if isinstance(item, Exception):
                raise item
            return item

        def sleep(pause: float) -> None:
            self.time += pause

        return wait.until("it", read, wanted, seconds, sleep=sleep, clock=lambda: self.time)

    def _item(self, status: str, reason: str | None = None, phase: str | None = None) -> Any:
        return SimpleNamespace(status=status, status_reason=reason, phase=phase)

    def test_each_change_is_shown_once(self) -> None:
        slow = self._item("CREATING", phase="certs")
        self._until("ACTIVE", slow, slow, self._item("CREATING", phase="etcd"), self._item("ACTIVE"))
        self.assertEqual(
            ["it: CREATING: certs (0 s)", "it: CREATING: etcd (4 s)", "it: ACTIVE (6 s)"],
            self.progress.getvalue().splitlines(),
        )

    def test_a_long_quiet_is_broken(self) -> None:
        slow = [self._item("CREATING")] * 21
        self._until("ACTIVE", *slow, self._item("ACTIVE"))
        lines = ["it: CREATING (0 s)", "it: CREATING (20 s)", "it: CREATING (40 s)", "it: ACTIVE (42 s)"]
        self.assertEqual(lines, self.progress.getvalue().splitlines())

    def test_an_interruption_says_that_it_goes_on(self) -> None:
        def interrupt(_pause: float) -> None:
            raise KeyboardInterrupt

        slow = self._item("CREATING")
        act = lambda: wait.until("it", lambda: slow, "ACTIVE", 100.0, sleep=interrupt)  # noqa: E731
        error = self.assertRaises(exceptions.CommandError, act)
        self.assertIn("the operation continues on the server", str(error))

    def test_a_failure_says_why(self) -> None:
        failed = self._item("ERROR", "phase etcd failed; do this")
        error = self.assertRaises(exceptions.CommandError, self._until, "ACTIVE", failed)
        self.assertIn("do this", str(error))

    def test_time_runs_out(self) -> None:
        slow = [self._item("CREATING")] * 5
        error = self.assertRaises(exceptions.CommandError, self._until, "ACTIVE", *slow, seconds=5.0)
        self.assertIn("after 5 s", str(error))

    def test_gone_is_the_end_of_a_deletion_and_an_error_otherwise(self) -> None:
        gone = sdk.NotFoundException("gone")
        self.assertIsNone(self._until(None, self._item("DELETING"), gone))
        self.assertIn("it: deleted (2 s)", self.progress.getvalue())
        self.assertRaises(exceptions.CommandError, self._until, "ACTIVE", gone)

    def test_a_namespace_s_progress_is_the_conductor_s(self) -> None:
        step = "Step 2 of 7: network."
        self.assertEqual(f"CREATING: {step}", wait.progress(self._namespace(status_reason=step)))
        self.assertEqual("DELETING", wait.progress(self._namespace(status="DELETING")))

    def _namespace(self, **facts: Any) -> Namespace:
        return Namespace(**{"status": "CREATING", **facts})
