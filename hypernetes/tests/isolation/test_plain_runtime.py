# SPDX-License-Identifier: Apache-2.0
"""The same pods in a virtual machine and under containerd's plain runc: every difference is one that is documented.

The documentation of the differences is doc/source/reference/guest.rst.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from typing import ClassVar

from hypernetes.tests.isolation import base
from hypernetes.tests.isolation import plain


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that a program finds in a machine other than under plain runc."""

    keys: str
    """A regular expression of the probe's keys."""
    machine: str
    """A regular expression of what is found in a machine: not any value that differs will do."""
    reason: str


DIFFERENCES = (
    Difference("limit Max open files", "1048576 1048576 files ", "a node passes on what containerd was started with"),
    Difference("limit Max (processes|pending signals)", "unlimited unlimited .*", "the same"),
    Difference("sysctl net/ipv4/ip_unprivileged_port_start", "0", "the reference uses the node's network namespace"),
    Difference("sysctl net/ipv4/ping_group_range", "0 2147483647", "the same"),
    Difference("mount /sys/fs/cgroup", "nodev noexec nosuid ro ", "cgroup version 2, version 1 on the node"),
    Difference("masked /proc/(kcore|keys|timer_list|acpi|scsi)", "masked|absent", "another kernel"),
    Difference("read-only /proc/sysrq-trigger", "ro ", "the same"),
    Difference("device core", "777 0:0 symbolic link 0:0", "the same: a link to /proc/kcore, where there is one"),
    Difference("devices", "core fd full null ptmx pts random stderr stdin stdout tty urandom zero ", "the same"),
    Difference(
        "device null", "666 1000:3000 character special file 1:3", "crun gives the standard streams to the user"
    ),
)

USER: Mapping[str, Any] = {"runAsUser": 1000, "runAsGroup": 3000, "fsGroup": 2000, "supplementalGroups": [4000]}
RESTRICTED: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
ENDS = {
    "zero": ["true"],
    "three": ["sh", "-c", "exit 3"],
    "last": ["sh", "-c", "exit 255"],
    "message": ["sh", "-c", "printf 'why it ended' >/dev/termination-log; exit 1"],
    # The first process of a PID namespace ignores the signals that it does not handle, and cannot kill itself.
    "terminates-itself": ["sh", "-c", "kill -TERM $$; exit 4"],
    "kills-itself": ["sh", "-c", "kill -KILL $$; exit 5"],
    "child-terminated": ["sh", "-c", "sh -c 'kill -TERM $$'"],
    "child-killed": ["sh", "-c", "sh -c 'kill -KILL $$'; exit $?"],
    "child-faulted": ["sh", "-c", "sh -c 'kill -SEGV $$'; exit $?"],
    "handled": ["sh", "-c", "trap 'exit 7' USR1; kill -USR1 $$; sleep 1; exit 1"],
    "out-of-memory": ["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"],
    "not-found": ["sh", "-c", "no-such-program"],
    "no-such-program": ["/no/such/program"],
    "not-executable": ["/etc/passwd"],
}
NEVER_STARTED = ("no-such-program", "not-executable")
PODS = (
    plain.pod("plain-root", commands=ENDS),
    plain.pod("plain-user", context=USER, container_context=RESTRICTED),
)


class PlainRuntimeTest(base.IsolationTest):
    red: ClassVar[base.Namespace]
    plain: ClassVar[plain.System]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.plain = plain.System(cls.enterClassContext(plain.administrator()))
        cls.red = cls.namespace("red", "plain").wait_active()
        cls.addClassCleanup(
            cls.plain.kubectl, "delete", "pods,configmaps,secrets", f"--selector={plain.SELECTOR}", "--timeout=60s"
        )
        # All at once: a machine takes longer to boot than its pod to run.
        for kubectl, pods in ((cls.red.kubectl, PODS), (cls.plain.kubectl, plain.on_the_node(PODS))):
            items = [*plain.OBJECTS, *pods]
            made = kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
            if made.status:
                raise AssertionError(made.text)

    def ended(self, name: str) -> dict[str, dict[str, Any]]:
        """Wait for the end of a pod on both sides and return both."""
        found = {}
        for side, kubectl in (("plain", self.plain.kubectl), ("machine", self.red.kubectl)):

            def pod(name: str = name, kubectl: Any = kubectl) -> dict[str, Any] | None:
                pod = json.loads(kubectl("get", "pod", name, "-o", "json").output or "{}")
                return pod if pod.get("status", {}).get("phase") in ("Succeeded", "Failed") else None

            found[side] = base.eventually(pod, f"the end of {name}, {side}", timeout=base.POD_START_SECONDS, interval=1)
        return found

    def assert_equal_facts(self, name: str) -> None:
        """Compare what a probe found on both sides: no more differs than may."""
        self.ended(name)
        reference = plain.facts(self.plain.kubectl("logs", name, "-c", "main").output)
        machine = plain.facts(self.red.kubectl("logs", name, "-c", "main").output)
        self.assertGreater(len(reference), 110, "the probe has ended early")
        self.assertEqual(reference.keys(), machine.keys())
        different = [key for key in reference if reference[key] != machine[key] and not documented(key, machine[key])]
        found = [f"{key}: {reference[key]!r} on the node, {machine[key]!r} in the machine" for key in different]
        self.assertFalse(found, "\n".join(found))

    def test_a_container_of_root_finds_the_same(self) -> None:
        self.assert_equal_facts("plain-root")

    def test_a_restricted_container_of_a_user_with_groups_finds_the_same(self) -> None:
        self.assert_equal_facts("plain-user")

    def test_containers_end_alike(self) -> None:
        found = {side: plain.ends(pod) for side, pod in self.ended("plain-root").items()}
        self.assertLessEqual(ENDS.keys(), found["plain"].keys())
        for name, reference in found["plain"].items():
            with self.subTest(name):
                machine = found["machine"][name]
                if name in NEVER_STARTED:
                    # Reason and exit code; the message is the runtime's own.
                    reference, machine = (" ".join(text.split()[:2]) for text in (reference, machine))
                self.assertEqual(reference, machine)


def documented(key: str, machine: str) -> bool:
    """Return whether what a program finds in a machine may differ from what it finds on the node."""
    return any(re.fullmatch(known.keys, key) and re.fullmatch(known.machine, machine) for known in DIFFERENCES)
