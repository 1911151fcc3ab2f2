# SPDX-License-Identifier: Apache-2.0
"""Deleting several resources by one command."""

import contextlib
import io
from typing import Any
from unittest import mock

import fixtures
import testtools
from osc_lib import exceptions

from hypernetes.osc import namespace
from hypernetes.osc import wait
from hypernetes.sdk.namespace import Namespace
from hypernetes.tests.support.fakes import openstack_cli as cloud


class DeletionTest(testtools.TestCase):
    """A failure of one does not keep the others."""

    def setUp(self) -> None:
        super().setUp()
        self.service = cloud.Service(*(Namespace(id=f"{n}-id", name=n, status="ACTIVE") for n in ("web", "batch")))
        self.app = cloud.App(self.service)
        self.log = self.useFixture(fixtures.FakeLogger("hypernetes.osc.deletion"))
        self.progress = io.StringIO()
        shown = contextlib.redirect_stderr(self.progress)
        shown.__enter__()
        self.addCleanup(shown.__exit__, None, None, None)

    def _delete(self, *words: str) -> Any:
        return cloud.run(namespace.DeleteNamespace, self.app, *words)

    def _deleted(self) -> list[str]:
        return [call[2] for call in self.service.calls if call[0] == "delete"]

    def test_several_are_deleted(self) -> None:
        self._delete("web", "batch-id")
        self.assertEqual(["web-id", "batch-id"], self._deleted())

    def test_what_cannot_be_deleted_is_reported_and_the_rest_goes_on(self) -> None:
        error = self.assertRaises(exceptions.CommandError, self._delete, "web", "none", "batch", "..")
        self.assertEqual("2 of 4 namespaces failed to delete.", str(error))
        self.assertEqual(["web-id", "batch-id"], self._deleted())
        said = "Failed to delete namespace with name or ID 'none': No Namespace found for none"
        self.assertIn(said, self.log.output)

    def test_all_are_asked_for_before_the_first_is_waited_for(self) -> None:
        self.service.states = ["DELETING", None, None]
        with mock.patch("time.sleep") as slept:
            self._delete("web", "batch", "--wait")
        self.assertEqual(["web-id", "batch-id"], self._deleted())
        self.assertEqual(1, slept.call_count)
        self.assertIn("namespace batch: deleted", self.progress.getvalue())

    def test_one_that_fails_while_it_is_waited_for_counts(self) -> None:
        self.service.states = ["ERROR", None]
        error = self.assertRaises(exceptions.CommandError, self._delete, "web", "batch", "--wait")
        self.assertEqual("1 of 2 namespaces failed to delete.", str(error))
        self.assertIn("namespace batch: deleted", self.progress.getvalue())

    def test_the_time_is_for_all_of_them(self) -> None:
        error = self.assertRaises(exceptions.CommandError, self._delete, "web", "batch", "--wait", "--timeout", "-1")
        self.assertEqual("2 of 2 namespaces failed to delete.", str(error))
        self.assertIn("the operation continues on the server", self.log.output)

    def test_an_interruption_ends_the_command(self) -> None:
        self.service.states = ["DELETING"]
        with mock.patch("time.sleep", side_effect=KeyboardInterrupt):
            self.assertRaises(wait.InterruptedWait, self._delete, "web", "batch", "--wait")
