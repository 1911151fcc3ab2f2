# SPDX-License-Identifier: Apache-2.0
"""A process is known by number, start time and boot, so that a later one with its number is never touched."""

import os
import signal
import subprocess
import sys
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

from hypernetes.standalone import process


class IdentityTest(unittest.TestCase):
    def start(self) -> subprocess.Popen[bytes]:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def test_a_running_process_is_alive(self) -> None:
        identity = process.identify(self.start().pid)
        assert identity is not None
        self.assertTrue(identity.alive)

    def test_a_zombie_is_not_alive(self) -> None:
        child = self.start()
        identity = process.identify(child.pid)
        assert identity is not None
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        self.assertFalse(identity.alive)

    def test_another_process_with_the_same_number_gets_no_signal(self) -> None:
        child = self.start()
        identity = process.identify(child.pid)
        assert identity is not None
        earlier = replace(identity, start_time=identity.start_time - 1)
        self.assertFalse(earlier.signal(signal.SIGKILL))
        self.assertIsNone(child.poll())

    def test_a_process_of_another_boot_gets_no_signal(self) -> None:
        child = self.start()
        identity = process.identify(child.pid)
        assert identity is not None
        self.assertFalse(replace(identity, boot_id="another").signal(signal.SIGKILL))

    def test_the_process_itself_gets_the_signal(self) -> None:
        child = self.start()
        identity = process.identify(child.pid)
        assert identity is not None
        self.assertTrue(identity.signal(signal.SIGTERM))
        self.assertEqual(-signal.SIGTERM, child.wait(timeout=10))

    def test_a_record_survives_being_written_and_read(self) -> None:
        identity = process.ProcessIdentity(1, 2, "boot")
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "run" / "record.json"
            identity.save(path)
            self.assertEqual(identity, process.load(path))

    def test_a_record_cut_off_by_a_crash_is_no_record(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "record.json"
            path.write_text('{"pid": 1, "sta')
            self.assertIsNone(process.load(path))

    def test_brackets_and_spaces_in_a_command_name_do_not_shift_the_fields(self) -> None:
        fields = ["S", *(str(number) for number in range(4, 30))]
        line = f"7 (a) b (c) {' '.join(fields)}"
        self.assertEqual((22, "S"), process.start_time_and_state(line))
