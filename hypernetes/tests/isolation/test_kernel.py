# SPDX-License-Identifier: Apache-2.0
"""Every tenant pod has a kernel of its own."""

import os
from pathlib import Path

from hypernetes.tests.isolation import base


class KernelTest(base.IsolationTest):
    red: base.Namespace

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.red = cls.namespace("red", "kernel").wait_active()
        cls.red.start_pod("one")
        cls.red.start_pod("two")
        cls.red.wait_running("one", "two")

    def test_the_kernel_is_not_the_hosts(self) -> None:
        release = self.red.exec("one", "uname", "-r").output.strip()
        self.assertRegex(release, r"^\d+\.\d+")
        self.assertNotEqual(os.uname().release, release)

    def test_two_pods_of_one_tenant_have_different_boots(self) -> None:
        boots = {
            self.red.exec(name, "cat", "/proc/sys/kernel/random/boot_id").output.strip() for name in ("one", "two")
        }
        boots.add(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        self.assertEqual(3, len(boots), boots)

    def test_the_kernel_command_line_is_the_guests(self) -> None:
        line = self.red.exec("one", "cat", "/proc/cmdline").output.strip()
        self.assertIn("panic=-1", line)
        self.assertNotEqual(Path("/proc/cmdline").read_text().strip(), line)

    def test_the_pod_does_not_see_the_hosts_memory_or_disks(self) -> None:
        total = int(self.red.exec("one", "sh", "-c", "grep MemTotal /proc/meminfo").output.split()[1])
        self.assertLess(total, 1024 * 1024, "KiB: the machine's, not the pod's")
        mounts = self.red.exec("one", "cat", "/proc/mounts").output
        for shared in ("9p", "virtiofs", "fuse"):
            self.assertNotIn(f" {shared} ", mounts)
