# SPDX-License-Identifier: Apache-2.0
"""What ends for want of memory is reported as such: a container by its own limit, or the whole machine by the node.

A machine that needs more than the RuntimeClass's overhead allows for the emulator is a fault of the product, which the
overhead's measurement rules out as far as it goes. The test has the node's kernel meet one by lowering what the cgroup
of a machine may use, below what its containers may.
"""

import json
import re
from pathlib import Path
from typing import Any
from typing import ClassVar

from hypernetes.tests.isolation import base

MIB = 1024 * 1024
CGROUPS = Path("/sys/fs/cgroup")
LEFT = 24 * MIB
"""What the machine may use in addition to what it uses when idle."""
ALLOCATE = "dd if=/dev/zero of=/dev/null bs=160M count=1"
"""Far below the limit of the containers in one pod, above that of the containers in the other."""
EVENT = re.compile(r"the pod's virtual machine .*\(OOMKilled\): .* used (\d+) MiB of the (\d+) MiB")


def pod(name: str, limit: str) -> dict[str, Any]:
    """Return a pod of two containers, which is not restarted."""
    resources = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": limit}}
    container = {"image": "busybox", "command": ["sleep", "1000000"], "resources": resources}
    return base.pod(
        name,
        restartPolicy="Never",
        containers=[{**container, "name": "main"}, {**container, "name": "beside"}],
    )


class OutOfMemoryTest(base.IsolationTest):
    red: ClassVar[base.Namespace]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.red = cls.namespace("red", "memory").wait_active()
        for name, limit in (("machine", "640Mi"), ("container", "64Mi")):
            made = cls.red.kubectl("create", "-f", "-", stdin=json.dumps(pod(name, limit)))
            if made.status:
                raise AssertionError(made.text)
        cls.red.wait_running("machine", "container")

    def states(self, name: str) -> dict[str, dict[str, Any]]:
        """Return the state of each container of a pod."""
        found = base.kubectl_json("red", "-n", self.red.name, "get", "pod", name)["status"]["containerStatuses"]
        return {status["name"]: status["state"] for status in found}

    def events(self, name: str) -> list[str]:
        """Return the messages of a pod's events of the machine's end."""
        selector = f"--field-selector=reason=MachineOOMKilled,type=Warning,involvedObject.name={name}"
        found = base.kubectl_json("red", "-n", self.red.name, "get", "events", selector)["items"]
        return [event["message"] for event in found if event["involvedObject"]["uid"] == self.red.uid(name)]

    def test_a_container_that_reaches_its_own_limit_is_no_end_of_the_machine(self) -> None:
        # All of the container's processes end with the one that had no memory, the exec included.
        self.assertNotEqual(0, self.red.exec("container", *ALLOCATE.split()).status)
        end = base.eventually(lambda: self.states("container")["main"].get("terminated"), "its end", timeout=60)
        self.assertEqual(("OOMKilled", 137), (end["reason"], end["exitCode"]))
        self.assertIn("running", self.states("container")["beside"])
        self.assertEqual(
            "beside\n", self.red.kubectl("exec", "container", "-c", "beside", "--", "echo", "beside").output
        )
        self.assertEqual([], self.events("container"))

    def test_a_machine_that_the_node_ends_is_reported_with_what_it_used(self) -> None:
        limit = lower_limit(machine_group(self.red.uid("machine")))
        self.red.exec("machine", *ALLOCATE.split())

        def ended() -> dict[str, dict[str, Any]] | None:
            states = self.states("machine")
            return states if all("terminated" in state for state in states.values()) else None

        states = base.eventually(ended, "the machine ended", timeout=60)
        for name, state in states.items():
            with self.subTest(name):
                end = state["terminated"]
                self.assertEqual(("OOMKilled", 137), (end["reason"], end["exitCode"]))
                self.assertIn("The node ended the pod's virtual machine for want of memory", end["message"])
        (message,) = base.eventually(lambda: self.events("machine"), "the event", timeout=60)
        found = EVENT.search(message)
        assert found, message
        used, allowed = (int(number) for number in found.groups())
        self.assertEqual(limit // MIB, allowed)
        self.assertLessEqual(allowed - 1, used)
        self.assertLessEqual(used, allowed)


def machine_group(uid: str) -> Path:
    """Return the directory of the memory controller in which a pod's QEMU is alone."""
    hierarchy = CGROUPS / "memory" if (CGROUPS / "memory").is_dir() else CGROUPS
    (found,) = (group for group in hierarchy.rglob(f"*pod{uid}*/hyper-*") if not group.name.endswith("-shim"))
    return found


def lower_limit(group: Path) -> int:
    """Allow a machine little more than it uses, and return how many bytes."""
    version_2 = (group / "memory.max").exists()
    used, limit = ("memory.current", "memory.max") if version_2 else ("memory.usage_in_bytes", "memory.limit_in_bytes")
    allowed = (int((group / used).read_text()) + LEFT) // MIB * MIB
    (group / limit).write_text(str(allowed))
    return allowed
