# SPDX-License-Identifier: Apache-2.0
"""A supervisor that hangs does not block the caller forever."""

import os
import socket
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from hypernetes.standalone import process
from hypernetes.standalone import supervision


class HangingTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        place = Path(directory.name)
        self.supervisor = supervision.Supervisor(
            "control",
            executable=place / "supervisord",
            configuration=place / "supervisord.conf",
            programs=place / "programs",
            socket=place / "socket",
            identity=place / "identity.json",
            log=place / "log",
        )
        # Accepts by the kernel's queue, and never answers.
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.settimeout(5)
        listener.bind(str(place / "socket"))
        listener.listen(8)
        identity = process.identify(os.getpid())
        assert identity is not None
        identity.save(place / "identity.json")
        self.group = mock.patch.object(self.supervisor, "group").start()
        self.addCleanup(mock.patch.stopall)
        mock.patch.object(supervision.Supervisor._proxy, "__defaults__", (0.1,)).start()

    def test_every_call_has_a_timeout(self) -> None:
        with self.assertRaises(TimeoutError):
            self.supervisor._proxy().supervisor.getState()
        self.assertEqual({}, self.supervisor.states())

    def test_one_that_does_not_answer_is_ended_with_its_group(self) -> None:
        self.supervisor.end(grace=0.1)
        self.group.end.assert_called_once_with(grace=5)

    def test_one_that_ceases_to_answer_is_ended_with_its_group(self) -> None:
        with mock.patch.object(self.supervisor, "_answers", return_value=True):
            self.supervisor.end(grace=0.1)
        self.group.end.assert_called_once_with(grace=5)
