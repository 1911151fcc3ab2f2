# SPDX-License-Identifier: Apache-2.0
"""Importing what runs as a process of its own prints nothing, eventlet's deprecation least of all."""

import subprocess
import sys

import testtools

# Each line is imported in a process of its own; those that do not import oslo.messaging share one. The API: unit/wsgi.
PROGRAMS = (
    ("hypernetes.cmd.agent",),
    ("hypernetes.cmd.conductor",),
    ("hypernetes.tests",),
    ("hypernetes.cmd.manage",),
    ("hypernetes.cmd.status", "hypernetes.auth.deploy", "hypernetes.standalone.commands"),
)


class SilenceTest(testtools.TestCase):
    def imported(self, *names: str) -> tuple[str, str]:
        """Import modules in a new process; what it wrote, and whether eventlet was imported."""
        done = subprocess.run(
            [sys.executable, "-c", f"import sys, {', '.join(names)}; print('eventlet' in sys.modules)"],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return done.stderr, done.stdout.strip()

    def test_no_program_warns_as_it_starts(self) -> None:
        for names in PROGRAMS:
            self.assertEqual("", self.imported(*names)[0], ", ".join(names))

    def test_the_warning_would_be_seen(self) -> None:
        written, _ = self.imported("eventlet")
        self.assertIn("Eventlet is deprecated", written)

    def test_the_client_does_without_eventlet(self) -> None:
        self.assertEqual(
            "False", self.imported("openstackclient.shell", "hypernetes.osc.plugin", "hypernetes.osc.cluster")[1]
        )
