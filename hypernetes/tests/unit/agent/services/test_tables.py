# SPDX-License-Identifier: Apache-2.0
"""Each namespace with pods on the node has a table, and no other."""

import dataclasses
import json
import threading
from pathlib import Path
from typing import Any

import fixtures
import testtools

from hypernetes.agent.ports import sandboxes
from hypernetes.agent.services import tables
from hypernetes.tests.support import agent_builders


class Following:
    """A follower that does what the test says."""

    def __init__(self, namespace: str, connect: Any, publish: Any) -> None:
        self.namespace, self.publish, self.started, self.stopped = namespace, publish, 0, 0

    def start(self) -> None:
        self.started += 1

    def stop(self) -> None:
        self.stopped += 1


def sandbox(namespace: str, name: str = "a", **fields: Any) -> sandboxes.SandboxRecord:
    binding = dataclasses.replace(
        agent_builders.binding(5), namespace_id=f"id-of-{namespace}", service_subnet="10.96.0.0/12"
    )
    record = sandboxes.SandboxRecord(name, sandboxes.SandboxState.PLUGGED, pod_namespace=namespace, binding=binding)
    return dataclasses.replace(record, **fields)


class TablesTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = Path(self.useFixture(fixtures.TempDir()).path) / "services"
        self.directory.mkdir()
        self.sandboxes: list[sandboxes.SandboxRecord] = []
        self.made: list[Following] = []
        self.tables = tables.ServiceTables(self.directory, "node1", lambda: self.sandboxes, lambda: None, self.follow)  # type: ignore[arg-type,return-value]

    def follow(self, *arguments: Any) -> Following:
        self.made.append(Following(*arguments))
        return self.made[-1]

    def files(self) -> list[str]:
        return sorted(path.name for path in self.directory.iterdir())

    def test_the_first_pod_of_a_namespace_begins_it(self) -> None:
        self.tables.add(sandbox("red", binding=None))
        self.assertEqual([], self.made)
        for name in "ab":
            self.tables.add(sandbox("red", name))
        self.tables.add(sandbox("blue"))
        self.assertEqual([("red", 1), ("blue", 1)], [(one.namespace, one.started) for one in self.made])

    def test_what_is_published_is_written_for_the_shims(self) -> None:
        self.tables.add(sandbox("red"))
        self.made[0].publish([], [])
        (name,) = self.files()
        self.assertEqual("id-of-red.json", name)
        self.assertEqual(
            {"version": 1, "ranges": ["10.96.0.0/12"], "ports": []}, json.loads((self.directory / name).read_text())
        )

    def test_the_last_pod_ends_it(self) -> None:
        self.sandboxes = [sandbox("red"), sandbox("blue")]
        self.tables.sweep()
        for one in self.made:
            one.publish([], [])
        self.sandboxes = [sandbox("red", state=sandboxes.SandboxState.RELEASING), sandbox("blue")]
        self.tables.sweep()
        self.assertEqual([1, 0], [one.stopped for one in self.made])
        self.assertEqual(["id-of-blue.json"], self.files())

    def test_after_a_restart_the_pods_that_run_are_followed_and_older_files_removed(self) -> None:
        (self.directory / "id-of-gone.json").write_text("{}")
        (self.directory / "id-of-red.json").write_text("{}")
        self.sandboxes = [sandbox("red")]
        stop = threading.Event()
        stop.wait = lambda timeout=None: stop.set() or True  # type: ignore[method-assign,func-returns-value]
        self.tables.sweep_until(stop)
        self.assertEqual((["red"], ["id-of-red.json"]), ([one.namespace for one in self.made], self.files()))
        self.assertEqual(1, self.made[0].stopped)
        self.assertEqual(0o700, self.directory.stat().st_mode & 0o777)
