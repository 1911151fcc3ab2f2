# SPDX-License-Identifier: Apache-2.0
"""Each process may be killed at any moment: work goes on, machines survive, nothing is doubled or left behind."""

import os
import signal
from collections import Counter

from hypernetes.standalone import process
from hypernetes.tests.isolation import base
from hypernetes.tests.isolation import inventory
from hypernetes.tests.isolation import programs

PODS = ("a", "b", "c", "d")


class RecoveryTest(base.IsolationTest):
    bystander: base.Namespace

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.bystander = cls.namespace("blue", "bystander").wait_active()
        cls.bystander.start_pod("old")
        cls.bystander.wait_running("old")

    def boot_of_bystander(self) -> str:
        done = self.bystander.exec("old", "cat", "/proc/sys/kernel/random/boot_id")
        self.assertEqual(0, done.status, done.text)
        return done.output.strip()

    def kill_in_the_middle(self, program: str) -> None:
        before = inventory.take()
        boot = self.boot_of_bystander()
        namespace = base.Namespace("red", f"kill-{program}")
        try:
            self._kill(program)
            namespace.wait_active(timeout=180)
            for name in PODS:
                namespace.start_pod(name)
            base.eventually(
                lambda: inventory.take().neutron_ports - before.neutron_ports, "a pod on its way", timeout=120
            )
            self._kill(program)
            namespace.wait_running(*PODS, timeout=300)
            self.assertEqual(boot, self.boot_of_bystander(), "the running machine did not survive")
            self._nothing_is_doubled(namespace)
        finally:
            namespace.delete()
        base.eventually(
            lambda: not inventory.take().beyond(before),
            f"nothing left after {program} was killed",
            timeout=120,
            interval=2,
        )

    def _kill(self, program: str) -> None:
        killed = programs.pids(program)
        self.assertTrue(killed, f"{program} does not run")
        identities = [process.identify(pid) for pid in killed]
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        base.eventually(
            lambda: not any(i and i.alive for i in identities), f"{program} killed", timeout=10, interval=0.1
        )
        base.eventually(lambda: programs.pids(program), f"{program} back", timeout=60)

    def _nothing_is_doubled(self, namespace: base.Namespace) -> None:
        record = namespace.record()
        network = base.cloud("admin").network
        pods = Counter({namespace.uid(n): 1 for n in PODS})

        def owners() -> Counter[str]:
            ports = network.ports(network_id=record["network_id"])
            # A ready port, which waits for a pod, has no device.
            return Counter(p.device_id for p in ports if p.device_owner == "compute:hypernetes" and p.device_id)

        # The port of a pod that came from a pool names the pod a little later.
        base.eventually(lambda: owners() == pods, "one port for each pod", timeout=60)
        named = [n.id for n in network.networks(project_id=record["project_id"], name=_network_name(network, record))]
        self.assertEqual([record["network_id"]], named)

    def test_the_conductor(self) -> None:
        self.kill_in_the_middle("conductor")

    def test_the_agent(self) -> None:
        self.kill_in_the_middle("agent")

    def test_the_api(self) -> None:
        self.kill_in_the_middle("api")

    def test_containerd(self) -> None:
        self.kill_in_the_middle("containerd")


def _network_name(network: object, record: dict[str, str]) -> str:
    return str(network.get_network(record["network_id"]).name)  # type: ignore[attr-defined]
