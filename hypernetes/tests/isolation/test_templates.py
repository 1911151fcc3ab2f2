# SPDX-License-Identifier: Apache-2.0
"""Machines that continue from a template share its pages and nothing else, and nothing with other tenants."""

import contextlib
import hashlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from hypernetes.standalone import process
from hypernetes.tests.isolation import base
from hypernetes.tests.isolation import inventory
from hypernetes.tests.isolation import machines
from hypernetes.tests.isolation import programs

TEMPLATE_SECONDS = 120
# Run as the user of a virtual machine: each way to change one of the files that it is given; prints what succeeded.
RANDOM = "cd /proc/sys/kernel/random && cat boot_id uuid && head -c 4096 /dev/urandom | sha256sum"
ATTEMPTS = """
import fcntl, mmap, os, sys
uid, paths = int(sys.argv[1]), sys.argv[2:]
opened = 0
os.setgroups([]); os.setresgid(uid, uid, uid); os.setresuid(uid, uid, uid)
for path in paths:
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:
        continue
    opened += 1
    for name, attempt in {
        "write": lambda: os.pwrite(file, b"x", 4096),
        "shared mapping": lambda: mmap.mmap(file, 4096, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE),
        "truncation": lambda: os.ftruncate(file, 0),
        "growth": lambda: os.posix_fallocate(file, 1 << 30, 4096),
    }.items():
        try:
            attempt()
            print("by", path, name)
        except OSError:
            pass
print("tried", len(paths), "opened", opened)
"""


def paths_of(pid: int) -> list[Path]:
    """Return every path below a process's /proc directory that leads to a template."""
    found = []
    for pattern in ("fd/*", "map_files/*", "task/*/fd/*"):
        for path in Path("/proc", str(pid)).glob(pattern):
            # A descriptor may be closed meanwhile.
            with contextlib.suppress(OSError):
                if "memfd:hypernetes-" in str(path.readlink()):
                    found.append(path)
    return found


def digests(pid: int) -> set[str]:
    """Return what the templates hold that a process has open or mapped."""
    found = set()
    for path in paths_of(pid):
        # A thread may have ended meanwhile.
        with contextlib.suppress(FileNotFoundError):
            found.add(hashlib.sha256(path.read_bytes()).hexdigest())
    return found


def mapped(pid: int) -> set[str]:
    """Return the inodes of the templates that a process has in its memory."""
    maps = Path("/proc", str(pid), "maps").read_text()
    return set(re.findall(r"^\S+ \S+ \S+ \S+ (\d+)\s+/memfd:hypernetes-template", maps, re.MULTILINE))


class TemplatesTest(base.IsolationTest):
    red: base.Namespace
    other: base.Namespace
    blue: base.Namespace
    clones: dict[str, machines.Machine]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.red, cls.other = (cls.namespace("red", name).wait_active() for name in ("templates", "others"))
        cls.blue = cls.namespace("blue", "templates").wait_active()
        cls.clones = {
            "red": cls._clone(cls.red, "one"),
            "red's second": cls._clone(cls.red, "two"),
            "red's other namespace": cls._clone(cls.other, "one"),
            "blue": cls._clone(cls.blue, "one"),
        }

    @staticmethod
    def _clone(namespace: base.Namespace, name: str) -> machines.Machine:
        """Start pods until one is a clone, which stays."""

        def cloned() -> machines.Machine | None:
            namespace.start_pod(name)
            namespace.wait_running(name)
            found = machines.of(namespace.uid(name))
            if not found.cloned:
                namespace.kubectl("delete", "pod", name)
            return found if found.cloned else None

        return base.eventually(cloned, f"a clone in {namespace.name}", timeout=TEMPLATE_SECONDS, interval=5)

    def test_machines_share_a_template_within_their_project_only(self) -> None:
        templates = {name: mapped(machine.qemu) for name, machine in self.clones.items()}
        self.assertEqual(1, len(templates["red"]))
        self.assertEqual(templates["red"], templates["red's second"])
        self.assertEqual(templates["red"], templates["red's other namespace"])
        self.assertEqual(1, len(templates["blue"]))
        self.assertFalse(templates["red"] & templates["blue"])

    def test_no_machine_can_change_a_template(self) -> None:
        machine = self.clones["red"].qemu
        uid = Path("/proc", str(machine)).stat().st_uid
        self.assertGreaterEqual(uid, 200000)
        keeper = programs.pids("templates")
        paths = [str(path) for pid in (machine, *keeper) for path in paths_of(pid)]
        self.assertGreater(len(paths), 1)
        before = digests(machine)
        self.assertTrue(before)
        for user in (uid, 0):
            done = subprocess.run(
                [sys.executable, "-c", ATTEMPTS, str(user), *paths],
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            )
            self.assertNotIn("by ", done.stdout)
            self.assertIn(f"tried {len(paths)}", done.stdout)
        # The positive control: root opened them.
        self.assertNotIn("opened 0", done.stdout)
        self.assertEqual(before, digests(machine))

    def test_clones_have_nothing_random_in_common(self) -> None:
        seen: set[str] = set()
        for namespace, name in ((self.red, "one"), (self.red, "two"), (self.other, "one"), (self.blue, "one")):
            done = namespace.exec(name, "sh", "-c", RANDOM)
            self.assertEqual(0, done.status, done.text)
            words = set(done.output.split()) - {"-"}
            self.assertEqual(3, len(words))
            self.assertFalse(words & seen)
            seen |= words

    def test_pods_start_and_nothing_is_left_when_the_keeper_is_killed(self) -> None:
        before = inventory.take()
        namespace = base.Namespace("red", "keeper")
        boots = self.red.exec("one", "cat", "/proc/sys/kernel/random/boot_id").output
        try:
            namespace.wait_active()
            namespace.start_pod("first")
            self._kill()
            namespace.start_pod("second")
            namespace.wait_running("first", "second")
            self.assertEqual(boots, self.red.exec("one", "cat", "/proc/sys/kernel/random/boot_id").output)
            self._clone(namespace, "third")
        finally:
            namespace.delete()
        base.eventually(lambda: not inventory.take().beyond(before), "nothing left", timeout=120, interval=2)

    def _kill(self) -> None:
        killed = programs.pids("templates")
        self.assertEqual(1, len(killed))
        identity = process.identify(killed[0])
        os.kill(killed[0], signal.SIGKILL)
        base.eventually(lambda: not (identity and identity.alive), "the keeper killed", timeout=10, interval=0.1)
        base.eventually(lambda: programs.pids("templates"), "the keeper back", timeout=60)
