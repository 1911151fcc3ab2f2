# SPDX-License-Identifier: Apache-2.0
"""``kubectl port-forward`` reaches the pod it names, also where another tenant's pod has the same address."""

import contextlib
import re
import subprocess
from collections.abc import Iterator

import requests

from hypernetes.tests.isolation import base

CIDR = "10.78.0.0/24"
ADDRESS = "10.78.0.50"
PORT = 8080
POD = "one"


@contextlib.contextmanager
def forwarded(namespace: base.Namespace, port: int) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A local port that kubectl forwards to the pod's, and the kubectl that does so."""
    process = subprocess.Popen(
        ["kubectl", "-n", namespace.name, "port-forward", f"pod/{POD}", f":{port}"],
        env=base.settings(namespace.who),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.match(r"Forwarding from 127\.0\.0\.1:(\d+) ", line)
        if not found:
            process.kill()
            raise AssertionError(f"kubectl said {line!r} and {process.communicate()[1]!r}")
        yield int(found[1]), process
    finally:
        process.kill()
        process.communicate()


def answer(port: int) -> str:
    """The page at a local port; nothing if the connection ends without one."""
    try:
        return requests.get(f"http://127.0.0.1:{port}/", timeout=60).text
    except requests.ConnectionError:
        return ""


class ForwardTest(base.IsolationTest):
    red: base.Namespace
    blue: base.Namespace

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.red = cls.namespace("red", "forward-red", cidr=CIDR)
        cls.blue = cls.namespace("blue", "forward-blue", cidr=CIDR)
        for namespace in (cls.red, cls.blue):
            namespace.wait_active()
            # On localhost only: what arrives there has come through the machine's channel, not over the network.
            serve = f"echo {namespace.who} > /tmp/index.html; exec httpd -f -p 127.0.0.1:{PORT} -h /tmp"
            namespace.start_pod(POD, address=ADDRESS, command=["sh", "-c", serve])
        for namespace in (cls.red, cls.blue):
            namespace.wait_running(POD)

    def test_each_tenant_reaches_its_own_pod(self) -> None:
        with forwarded(self.red, PORT) as (red, _), forwarded(self.blue, PORT) as (blue, _):
            for _ in range(3):
                self.assertEqual("red\n", answer(red))
                self.assertEqual("blue\n", answer(blue))

    def test_a_port_at_which_nothing_listens_is_an_error(self) -> None:
        with forwarded(self.red, PORT + 1) as (red, process):
            self.assertEqual("", answer(red))
            assert process.stderr is not None
            self.assertIn("error", process.stderr.readline().lower())

    def test_another_tenants_pod_cannot_be_named(self) -> None:
        done = base.kubectl("blue", "-n", self.red.name, "port-forward", f"pod/{POD}", f":{PORT}", timeout=60)
        self.assertNotEqual(0, done.status)
        self.assertIn("Forbidden", done.text)
