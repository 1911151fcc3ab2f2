# SPDX-License-Identifier: Apache-2.0
"""Pods and namespaces that are gone have left nothing behind."""

from hypernetes.tests.isolation import base
from hypernetes.tests.isolation import inventory

PODS = 20


class LeakTest(base.IsolationTest):
    def test_twenty_pods_in_series_and_their_namespace_leave_nothing(self) -> None:
        before = inventory.take()
        red = base.Namespace("red", "leaks")
        try:
            red.wait_active()
            record = red.record()
            for number in range(PODS):
                name = f"pod-{number}"
                red.start_pod(name)
                red.wait_running(name)
                if number == 0:
                    during = inventory.take().beyond(before)
                    # The positive control: what is looked for can be found while a pod runs.
                    for kind in ("taps", "ovs_ports", "machines", "shims", "netns", "files", "neutron_ports"):
                        self.assertIn(kind, during)
                deleted = red.kubectl("delete", "pod", name, "--timeout=120s")
                self.assertEqual(0, deleted.status, deleted.text)
        finally:
            red.delete()
        base.eventually(lambda: not inventory.take().beyond(before), "nothing left of the pods", timeout=60, interval=2)
        network = base.cloud("admin").network
        self.assertIsNone(network.find_network(record["network_id"], ignore_missing=True))
        self.assertEqual([], list(network.ports(network_id=record["network_id"])))
        self.assertNotEqual(0, base.kubectl("red", "-n", red.name, "get", "pods").status)
