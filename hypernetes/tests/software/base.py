# SPDX-License-Identifier: Apache-2.0
"""Pods of the software tier on the living stack, and how a row of the table is run in one of them."""

import contextlib
import json
import re
import shlex
import subprocess
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import ClassVar
from typing import TypeVar

from hypernetes.tests.isolation import base
from hypernetes.tests.software import image
from hypernetes.tests.software.programs import Program

IMAGE_FILES = "/work"
"""A directory on the image's file system."""
EMPTY_DIR = "/volume"
"""Where every pod has its emptyDir."""
DIRECTORIES = {"image": IMAGE_FILES, "emptyDir": EMPTY_DIR}
PULL_SECONDS = 300
"""What the first pod with an image of 2 GB may take longer to start."""
SMALL_REQUESTS = {"cpu": "50m", "memory": "64Mi"}
"""With limits alone, requests equal them: a small node's processors would already be taken."""
RESULTS = base.LAYOUT.log / "software.tsv"
# A row may take half an hour: it must outlive the connection of its exec, which ends with a restart of the apiserver.
DETACHED = """
results=$1
shift
rm -rf "$results"
mkdir "$results"
setsid sh -c 'results=$1; shift; "$@" >"$results/output" 2>&1; echo $? >"$results/status.new"
    mv "$results/status.new" "$results/status"' sh "$results" "$@" </dev/null >/dev/null 2>&1 &
"""

C = TypeVar("C", bound="type[SoftwareTest]")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a program."""

    passed: bool
    seconds: float
    output: str


def manifest(
    name: str,
    reference: str,
    *,
    command: Sequence[str] = ("sh", "-c", "sleep infinity & wait"),
    resources: Mapping[str, Any] | None = None,
    security: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a pod of one container with an emptyDir; the default command reaps what daemons leave."""
    container = {
        "name": "main",
        "image": reference,
        "command": list(command),
        "volumeMounts": [{"name": "volume", "mountPath": EMPTY_DIR}],
        **({"resources": resources} if resources else {}),
        **({"securityContext": security} if security else {}),
    }
    return base.pod(name, containers=[container], volumes=[{"name": "volume", "emptyDir": {}}])


def shell(program: Program, directory: str) -> list[str]:
    """Return the command that runs a program in a directory of its own and ends it when it takes too long."""
    own = shlex.quote(f"{directory}/{re.sub(r'[^a-z0-9]+', '-', program.name.lower())}")
    script = f"mkdir -p {own}\ncd {own}\n{program.script}"
    return ["timeout", "--kill-after=10", str(program.seconds), "sh", "-euc", script]


def remarks(program: Program, output: str) -> list[str]:
    """Return the parts of a program's output that are kept with its result, each on one line."""
    found = re.finditer(program.remark, output, re.MULTILINE) if program.remark else ()
    return [" ".join(match.group().split()) for match in found]


class SoftwareTest(base.IsolationTest):
    """Base of the tests: a namespace, of project red by default, with the recipe's image in the registry."""

    recipe: ClassVar[image.Recipe]
    pods: ClassVar[base.Pods]
    reference: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.reference = image.provide(cls.recipe, base.LAYOUT, lambda _line: None)
        cls.pods = cls.provide_pods()

    @classmethod
    def provide_pods(cls) -> base.Pods:
        """Return where the pods run."""
        return cls.namespace("red", "software").wait_active()

    @classmethod
    def create(cls, pod: Mapping[str, Any]) -> None:
        """Ask for a pod."""
        created = cls.pods.kubectl("create", "-f", "-", stdin=json.dumps(pod))
        if created.status:
            raise AssertionError(created.text)

    def assert_never_restarted(self, pod: str) -> None:
        """Check that the pod's machine and its containers live since their first start."""
        found = self.pods.get("pod", pod)["status"]
        containers = found.get("containerStatuses", [])
        self.assertEqual(
            [("running", 0)],
            [(state, container["restartCount"]) for container in containers for state in container["state"]],
            f"{containers}\n{self.pods.kubectl('get', 'events').output[-3000:]}",
        )

    def run_program(self, pod: str, program: Program, directory: str) -> Outcome:
        """Run a row of the table in a pod, and wait for its end."""
        results = f"{EMPTY_DIR}/results"
        started = time.monotonic()
        begun = self.pods.exec(pod, "sh", "-c", DETACHED, "sh", results, *shell(program, directory))
        if begun.status:
            return Outcome(False, time.monotonic() - started, begun.text)
        status = self._wait_for_status(pod, f"{results}/status", program.seconds + 60)
        seconds = time.monotonic() - started
        output = self.pods.exec(pod, "cat", f"{results}/output").output
        passed = status == "0" and re.search(program.expected, output) is not None
        return Outcome(passed, seconds, f"status {status}\n{output}")

    def _wait_for_status(self, pod: str, path: str, seconds: float) -> str:
        """Return the status that a detached program left; "none" if there is none in time."""
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds:
            # No answer, or one that fails, says nothing of the program: the apiserver may be restarted meanwhile.
            with contextlib.suppress(subprocess.TimeoutExpired):
                if status := self.pods.exec(pod, "cat", path).output.strip():
                    return status
            time.sleep(min(max(elapsed / 10, 0.5), 10))
        return "none"

    def check(self, pod: str, program: Program, kind: str) -> None:
        """Run a row of the table in a pod and note the result; ``kind`` is a key of DIRECTORIES."""
        outcome = self.run_program(pod, program, DIRECTORIES[kind])
        with RESULTS.open("a") as results:
            words = (program.name, pod, kind, "passed" if outcome.passed else "failed", f"{outcome.seconds:.0f}")
            results.write("\t".join((*words, *remarks(program, outcome.output))) + "\n")
        if not outcome.passed:
            self.fail(f"{program.name} in {kind}, {outcome.seconds:.0f} s: {outcome.output[-12000:]}")
        self.assert_never_restarted(pod)


def table(rows: Iterable[tuple[Program, str, str]]) -> Callable[[C], C]:
    """Return a class decorator that adds a test method for each row: a program, a pod and a key of DIRECTORIES."""

    def add(target: C) -> C:
        for row in rows:
            program, pod, kind = row
            name = re.sub(r"\W+", "_", f"test_{program.name}_{pod}_{kind}").lower()
            setattr(target, name, _method(program, pod, kind))
        return target

    return add


def _method(program: Program, pod: str, kind: str) -> Callable[[SoftwareTest], None]:
    def test(self: SoftwareTest) -> None:
        self.check(pod, program, kind)

    return test
