# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.cni.agent: the exchange ends in time, whatever the other end does."""

import socket
import threading
import time
from pathlib import Path

import fixtures
import testtools

from hypernetes.cni import agent
from hypernetes.cni import errors


class DeadlineTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.MockPatchObject(agent, "STATUS_SECONDS", 0.3))
        self.path = str(Path(self.useFixture(fixtures.TempDir()).path) / "agent.sock")
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(self.listener.close)
        self.listener.bind(self.path)
        self.listener.listen(1)

    def _seconds_of(self, command: str, timeout: float) -> float:
        begin = time.monotonic()
        error = self.assertRaises(errors.CniError, agent.ask, self.path, {"command": command}, timeout)
        self.assertEqual(errors.TRY_AGAIN_LATER, error.code)
        return time.monotonic() - begin

    def _drip(self) -> None:
        """Answer a byte at a time, without end, until the caller has gone."""

        def drip() -> None:
            connection, _ = self.listener.accept()
            with connection:
                try:
                    for _ in range(100):
                        connection.sendall(b" ")
                        time.sleep(0.05)
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        self.addCleanup(thread.join, 10)

    def test_status_does_not_wait_for_a_silent_agent(self) -> None:
        self.assertLess(self._seconds_of("STATUS", 110.0), 2.0)

    def test_an_answer_that_comes_in_drips_does_not_prolong_it(self) -> None:
        self._drip()
        self.assertLess(self._seconds_of("STATUS", 110.0), 2.0)

    def test_other_commands_have_the_configured_time(self) -> None:
        self._drip()
        seconds = self._seconds_of("DEL", 0.8)
        self.assertGreater(seconds, 0.7)
        self.assertLess(seconds, 3.0)
