# SPDX-License-Identifier: Apache-2.0
"""A privileged container is root of its pod's machine: what it can do there, and that nobody else notices."""

from pathlib import Path

from hypernetes.tests.isolation import base

CIDR = "10.81.0.0/24"
RED = "10.81.0.50"
BLUE = "10.81.0.60"
DISK_DIRECTORY = "/work"

NESTED = f"""
set -e
cd {DISK_DIRECTORY}
mkdir -p upper work merged
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work merged
mount -t proc proc merged/proc
unshare -m -u -i -p -f chroot merged sh -c 'hostname nested; echo inner > /tmp/mark; echo $(hostname) $$'
test ! -e /tmp/mark
cat upper/tmp/mark
"""
"""A container in the container: its own root file system over the outer one's, and its own namespaces."""

IMPERSONATE = f"""
set -e
ip address flush dev eth0
ip link set dev eth0 address 02:00:00:00:00:01
ip address add {BLUE}/24 dev eth0
"""
"""Takes an address that is not the pod's, by means that only root has."""


class PrivilegedTest(base.IsolationTest):
    red: base.Namespace
    blue: base.Namespace

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.red = cls.namespace("red", "privileged-red", cidr=CIDR)
        cls.blue = cls.namespace("blue", "privileged-blue", cidr=CIDR)
        for namespace in (cls.red, cls.blue):
            namespace.wait_active()
        container = {
            "name": "main",
            "image": "busybox",
            "imagePullPolicy": "IfNotPresent",
            "command": ["sleep", "3600"],
            "securityContext": {"privileged": True},
            "volumeMounts": [{"name": "disk", "mountPath": DISK_DIRECTORY}],
        }
        cls.red.start_pod("root", containers=[container], volumes=[{"name": "disk", "emptyDir": {}}])
        cls.red.start_pod("beside", address=RED)
        cls.blue.start_pod("one", address=BLUE)
        cls.red.wait_running("root")
        cls.red.wait_running("beside")
        cls.blue.wait_running("one")

    def test_1_a_container_runs_in_it(self) -> None:
        done = self.red.exec("root", "sh", "-c", NESTED)
        self.assertEqual((0, "nested 1\ninner\n"), (done.status, done.output), done.text)

    def test_2_no_device_of_the_node_is_in_it(self) -> None:
        done = self.red.exec("root", "sh", "-c", "ls /dev; cat /proc/version")
        self.assertEqual(0, done.status, done.text)
        self.assertNotIn("vport", done.output)
        for disk in Path("/sys/block").iterdir():
            if not disk.name.startswith(("sd", "loop", "ram")):  # names that the machine's own disks may have
                self.assertNotIn(disk.name, done.output.split())

    def test_3_a_forged_address_reaches_no_one(self) -> None:
        self.assertEqual(0, self.red.exec("root", "ping", "-c", "2", "-W", "5", RED).status)  # the positive control
        done = self.red.exec("root", "sh", "-c", IMPERSONATE)
        self.assertEqual(0, done.status, done.text)
        self.assertNotEqual(0, self.red.exec("root", "ping", "-c", "2", "-W", "2", RED).status)
        # The pod whose address it has taken goes on.
        self.assertEqual(0, self.blue.exec("one", "true").status)
        self.assertEqual(0, self.red.exec("beside", "true").status)

    def test_4_its_kernel_s_end_is_no_other_pod_s(self) -> None:
        self.red.exec("root", "sh", "-c", "echo 1 > /proc/sys/kernel/sysrq; (sleep 1; echo c > /proc/sysrq-trigger) &")

        def restarted() -> bool:
            pod = base.kubectl_json("red", "-n", self.red.name, "get", "pod", "root")
            return bool(pod["status"]["containerStatuses"][0]["restartCount"])

        base.eventually(restarted, "the pod has a new machine", timeout=120)
        self.assertEqual(0, self.red.exec("beside", "true").status)
        self.assertEqual(0, self.blue.exec("one", "true").status)
