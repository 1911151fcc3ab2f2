# SPDX-License-Identifier: Apache-2.0
"""Two tenants may use the same addresses at the same time, and nothing crosses, not even forged packets."""

import json
import subprocess
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager

from hypernetes.tests.isolation import base

CIDR = "10.77.0.0/24"
ONE = "10.77.0.50"
TWO = "10.77.0.51"
THREE = "10.77.0.52"
FRAMES = 100
DEMO = "demo"
LISTENING_SECONDS = 25


class Listener:
    """A pod that counts the frames with a token that reach its interface."""

    def __init__(self, namespace: base.Namespace, pod: str, token: str) -> None:
        count = (DEMO, "count", "--token", token, "--duration", f"{LISTENING_SECONDS}s")
        self.process = subprocess.Popen(
            ["kubectl", "-n", namespace.name, "exec", pod, "--", *count],
            env=base.settings(namespace.who),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        if "listening" not in line:
            raise AssertionError(f"{namespace.name}/{pod} does not listen: {line}")

    def frames(self) -> int:
        """How many frames it saw, once it has ended."""
        output, error = self.process.communicate(timeout=120)
        if self.process.returncode:
            raise AssertionError(error)
        return int(json.loads(output)["frames"])


@contextmanager
def listening(places: Sequence[tuple[base.Namespace, str]], token: str) -> Iterator[list[Listener]]:
    """Listeners in several pods at the same time; none of their processes outlives the block."""
    listeners: list[Listener] = []
    try:
        for namespace, pod in places:
            listeners.append(Listener(namespace, pod, token))
        yield listeners
    finally:
        for listener in listeners:
            listener.process.kill()
            listener.process.wait()
            for stream in (listener.process.stdout, listener.process.stderr):
                if stream:
                    stream.close()


class NetworkTest(base.IsolationTest):
    red: base.Namespace
    blue: base.Namespace

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.red = cls.namespace("red", "net-red", cidr=CIDR)
        cls.blue = cls.namespace("blue", "net-blue", cidr=CIDR)
        for namespace in (cls.red, cls.blue):
            namespace.wait_active()
            namespace.start_pod("one", address=ONE, image="demo", command=[DEMO, "serve"])
            namespace.start_pod("two", address=TWO, image="demo", command=[DEMO, "serve"])
        cls.blue.start_pod("three", address=THREE, image="demo", command=[DEMO, "serve"])
        cls.red.wait_running("one", "two")
        cls.blue.wait_running("one", "two", "three")

    def mac(self, namespace: base.Namespace, pod: str) -> str:
        """The hardware address Neutron gave a pod's port."""
        ports = base.cloud("admin").network.ports(device_id=namespace.uid(pod))
        return str(next(iter(ports)).mac_address)

    def send(self, namespace: base.Namespace, pod: str, *words: str) -> None:
        """Have a pod send frames of its own making."""
        done = namespace.exec(pod, DEMO, "forge", "--count", str(FRAMES), *words)
        self.assertEqual(0, done.status, done.text)
        self.assertEqual(FRAMES, json.loads(done.output)["frames"])

    def test_both_tenants_use_the_same_addresses_at_the_same_time(self) -> None:
        for pod, address in (("one", ONE), ("two", TWO)):
            self.assertEqual([address] * 2, [n.address(pod) for n in (self.red, self.blue)])
            self.assertNotEqual(self.mac(self.red, pod), self.mac(self.blue, pod))

    def test_the_pod_has_the_address_kubernetes_shows(self) -> None:
        shown = json.loads(self.red.exec("one", DEMO, "show").output)
        self.assertIn(f"{ONE}/24", shown["addresses"])

    def test_frames_arrive_inside_a_tenant_and_none_cross(self) -> None:
        for sender, other in ((self.red, self.blue), (self.blue, self.red)):
            everybody = [(sender, "two"), (other, "one"), (other, "two")]
            with self.subTest(sender=sender.name), listening(everybody, sender.name) as listeners:
                self.send(sender, "one", "--token", sender.name, "--to-ip", TWO, "--to-mac", self.mac(sender, "two"))
                self.assertEqual([FRAMES, 0, 0], [listener.frames() for listener in listeners])
            with self.subTest(sender=sender.name, to="foreign"), listening(everybody[1:], "foreign") as listeners:
                # To the hardware address the other tenant's pod really has, and to everybody.
                self.send(sender, "one", "--token", "foreign", "--to-ip", TWO, "--to-mac", self.mac(other, "two"))
                self.send(sender, "one", "--token", "foreign", "--to-ip", TWO)
                self.assertEqual([0, 0], [listener.frames() for listener in listeners])

    def test_each_tenant_reaches_its_own_server_at_the_shared_address(self) -> None:
        for namespace in (self.red, self.blue):
            done = namespace.exec("one", DEMO, "get", f"http://{TWO}:8080/")
            self.assertEqual(0, done.status, done.text)
            theirs = json.loads(namespace.exec("two", DEMO, "show").output)["boot_id"]
            self.assertEqual(theirs, json.loads(done.output)["boot_id"])

    def test_a_server_only_blue_has_is_not_reached_by_red(self) -> None:
        self.assertEqual(0, self.blue.exec("one", DEMO, "get", f"http://{THREE}:8080/").status)
        self.assertNotEqual(0, self.red.exec("one", DEMO, "get", f"http://{THREE}:8080/").status)

    def test_a_forger_reaches_nothing_while_its_honest_frames_arrive(self) -> None:
        forged = ("--mac", self.mac(self.blue, "three"), "--ip", THREE)
        everybody = [(self.red, "two"), (self.blue, "one"), (self.blue, "two"), (self.blue, "three")]
        with listening(everybody, "forged") as listeners:
            for kind in ("udp", "arp"):
                self.send(self.red, "one", "--token", "forged", "--kind", kind, "--to-ip", TWO, *forged)
            self.send(
                self.red, "one", "--token", "forged", "--to-ip", TWO, "--to-mac", self.mac(self.red, "two"), *forged
            )
            # Only the address, or only the hardware address, is forged.
            self.send(self.red, "one", "--token", "forged", "--to-ip", TWO, "--ip", THREE)
            self.send(self.red, "one", "--token", "forged", "--to-ip", TWO, "--mac", self.mac(self.blue, "three"))
            self.assertEqual([0] * len(everybody), [listener.frames() for listener in listeners])
        with listening([(self.red, "two")], "honest") as (listener,):
            self.send(self.red, "one", "--token", "honest", "--to-ip", TWO, "--to-mac", self.mac(self.red, "two"))
            self.assertEqual(FRAMES, listener.frames())
