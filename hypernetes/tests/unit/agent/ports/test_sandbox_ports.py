# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.ports.sandbox_ports: what a kill at any moment leaves is taken up again."""

import json
import shutil
import threading
from pathlib import Path

import fixtures
import testtools

from hypernetes.agent.host import services
from hypernetes.agent.ports import driver as drivers
from hypernetes.agent.ports import sandbox_ports
from hypernetes.agent.ports import sandboxes
from hypernetes.agent.ports.sandboxes import SandboxRecord
from hypernetes.agent.ports.sandboxes import SandboxState
from hypernetes.model import errors
from hypernetes.rpc import messages
from hypernetes.tests.support import agent_builders

RECORD = Path(__file__).parents[5] / "runtime/internal/record/testdata/record.json"
"""A sandbox record, which the shim's unit tests read, too."""


class FakeDriver:
    """A network that remembers what is plugged; ``broken`` makes it refuse."""

    def __init__(self) -> None:
        self.taps: dict[str, str] = {}
        self.broken = False
        self.calls: list[str] = []

    def _answer(self) -> None:
        if self.broken:
            raise drivers.PlugFailed("the switch does not answer")

    def plug(self, port: drivers.Plug) -> None:
        self.calls.append("plug")
        self.taps[port.tap] = port.sandbox_id
        self._answer()

    def unplug(self, tap: str) -> None:
        self.calls.append("unplug")
        self._answer()
        self.taps.pop(tap, None)

    def devices(self) -> dict[str, str]:
        self._answer()
        return dict(self.taps)

    def check(self, port: drivers.Plug) -> None:
        if port.tap not in self.taps:
            raise drivers.PlugFailed("gone")

    def ping(self) -> None:
        self.calls.append("ping")
        self._answer()


class PortsTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.FakeLogger())
        self.directory = Path(self.useFixture(fixtures.TempDir()).path)
        self.driver, self.conductor = FakeDriver(), agent_builders.Conductor()
        self.ports = self._agent()

    def _agent(self) -> sandbox_ports.SandboxPorts:
        """An agent as it is after a start."""
        self.store = sandboxes.SandboxStore(self.directory / "state", self.directory / "records", self.directory / "vm")
        return sandbox_ports.SandboxPorts(self.store, self.driver, self.conductor, retry_max_interval=0.05)

    def _sandbox(self, sandbox_id: str, pod_uid: str = "uid", created_at: float = 1.0) -> SandboxRecord:
        netns = self.directory / f"netns-{sandbox_id}"
        netns.touch()
        return SandboxRecord(sandbox_id, SandboxState.ALLOCATING, str(netns), "red", "pod", pod_uid, created_at)

    def _release(self) -> None:
        stop = threading.Event()
        thread = threading.Thread(target=self.ports.release_until, args=(stop,))
        thread.start()
        done = services.wait_until(
            lambda: all(sandbox.state is not SandboxState.RELEASING for sandbox in self.store.all()), 10
        )
        stop.set()
        thread.join()
        self.assertTrue(done)

    def test_a_sandbox_gets_its_device_and_the_shim_its_record(self) -> None:
        self.ports.add(self._sandbox("a"))
        record = json.loads((self.directory / "records" / "a.json").read_text())
        self.assertEqual({"tap00000005-31": "a"}, self.driver.taps)
        self.assertEqual(json.loads(RECORD.read_text()), record)

    def test_asking_twice_gives_the_same_port(self) -> None:
        first = self.ports.add(self._sandbox("a"))
        self.assertEqual(first, self.ports.add(self._sandbox("a")))
        self.assertEqual(1, len(self.conductor.ports))

    def test_a_conductor_that_was_killed_meanwhile_is_asked_again(self) -> None:
        self.ports = sandbox_ports.SandboxPorts(self.store, self.driver, self.conductor, allocate_deadline=10.0)
        self.conductor.refusals = [errors.Unavailable(service="The conductor", reason="no answer")]
        self.ports.add(self._sandbox("a"))
        self.assertEqual((1, []), (len(self.conductor.ports), self.conductor.refusals))

    def test_a_refusal_is_final(self) -> None:
        self.ports = sandbox_ports.SandboxPorts(self.store, self.driver, self.conductor, allocate_deadline=10.0)
        self.conductor.refusals = [errors.Refused(service="The conductor", reason="no such pod")] * 2
        self.assertRaises(errors.Refused, self.ports.add, self._sandbox("a"))
        self.assertEqual(1, len(self.conductor.refusals))

    def test_what_is_begun_is_recorded_before_the_conductor_is_asked(self) -> None:
        self.conductor.away = True
        self.assertRaises(errors.Unavailable, self.ports.add, self._sandbox("a"))
        self.assertEqual([SandboxState.ALLOCATING], [sandbox.state for sandbox in self._agent_sandboxes()])

    def _agent_sandboxes(self) -> list[SandboxRecord]:
        self.ports = self._agent()
        return self.store.all()

    def test_a_record_for_the_shim_is_only_written_for_a_connected_port(self) -> None:
        self.driver.broken = True
        self.assertRaises(drivers.PlugFailed, self.ports.add, self._sandbox("a"))
        self.assertEqual(set(), self.store.recorded())

    def test_deleting_takes_the_device_at_once_and_the_port_behind(self) -> None:
        self.ports.add(self._sandbox("a"))
        self.ports.delete("a")
        self.assertEqual(({}, set()), (self.driver.taps, self.store.recorded()))
        self._release()
        self.assertEqual(({}, []), (self.conductor.ports, self.store.all()))

    def test_a_release_survives_a_restart_while_the_conductor_is_away(self) -> None:
        self.ports.add(self._sandbox("a"))
        self.conductor.away = True
        self.ports.delete("a")
        self.ports = self._agent()
        self.conductor.away = False
        self._release()
        self.assertEqual({}, self.conductor.ports)

    def test_the_end_of_a_machine_by_the_node_s_kernel_is_reported_with_its_release(self) -> None:
        self.ports.add(self._sandbox("a"))
        self.ports.add(self._sandbox("b", "other"))
        machine = self.directory / "vm" / "a"
        machine.mkdir(parents=True)
        (machine / "out-of-memory.json").write_text('{"used": 5, "allowed": 7}')
        self.conductor.away = True
        self.ports.delete("a")
        # The shim's directory is gone before the conductor answers, and the agent was restarted.
        shutil.rmtree(machine)
        self.ports = self._agent()
        self.ports.delete("a")
        self.ports.delete("b")
        self.conductor.away = False
        self._release()
        released = {c.sandbox_id: c.out_of_memory for c in self.conductor.calls if isinstance(c, messages.ReleasePort)}
        self.assertEqual({"a": messages.OutOfMemory(5, 7), "b": None}, released)

    def test_an_end_that_cannot_be_read_does_not_keep_a_port(self) -> None:
        machine = self.directory / "vm" / "a"
        machine.mkdir(parents=True)
        for text in ("", "[]", "{}", '{"used": "much", "allowed": 7}'):
            with self.subTest(text):
                self.ports.add(self._sandbox("a"))
                (machine / "out-of-memory.json").write_text(text)
                self.ports.delete("a")
                self._release()
                self.assertEqual({}, self.conductor.ports)

    def test_an_unknown_sandbox_is_deleted_at_the_conductor_too(self) -> None:
        self.conductor.ports["a"] = agent_builders.binding(9)
        self.ports.delete("a")
        self._release()
        self.assertEqual({}, self.conductor.ports)

    def test_repeated_deletes_of_a_released_sandbox_write_and_call_nothing(self) -> None:
        self.ports.add(self._sandbox("a"))
        self.ports.delete("a")
        self._release()
        calls = len(self.conductor.calls), len(self.driver.calls)
        with fixtures.MockPatchObject(self.store, "save") as save:
            for _ in range(2):
                self.ports.delete("a")
        save.mock.assert_not_called()
        self.assertEqual(calls, (len(self.conductor.calls), len(self.driver.calls)))

    def test_a_delete_and_its_release_unplug_the_device_once(self) -> None:
        self.ports.add(self._sandbox("a"))
        self.conductor.away = True
        self.ports.delete("a")
        self.ports.delete("a")
        self.conductor.away = False
        self._release()
        self.assertEqual(["plug", "unplug"], self.driver.calls)

    def test_a_released_sandbox_that_is_added_again_is_deleted_again(self) -> None:
        for _ in range(2):
            self.ports.add(self._sandbox("a"))
            self.ports.delete("a")
            self._release()
            self.assertEqual(({}, {}), (self.driver.taps, self.conductor.ports))

    def test_an_allocation_completed_after_the_release_is_collected(self) -> None:
        self.ports.add(self._sandbox("a"))
        self.ports.delete("a")
        self._release()
        self.conductor.ports["a"] = agent_builders.binding(9)
        self.ports.collect()
        self._release()
        self.assertEqual({}, self.conductor.ports)

    def test_a_sandbox_that_is_being_released_gets_no_new_port(self) -> None:
        self.ports.delete("a")
        self.assertRaises(errors.Conflict, self.ports.add, self._sandbox("a"))

    def test_a_delete_waits_for_the_add_that_is_under_way(self) -> None:
        entered, leave = threading.Event(), threading.Event()

        def slow(port: drivers.Plug) -> None:
            entered.set()
            leave.wait(10)
            self.driver.taps[port.tap] = port.sandbox_id

        self.useFixture(fixtures.MockPatchObject(self.driver, "plug", slow))
        adding = threading.Thread(target=self.ports.add, args=(self._sandbox("a"),))
        adding.start()
        entered.wait(10)
        deleting = threading.Thread(target=self.ports.delete, args=("a",))
        deleting.start()
        leave.set()
        adding.join(10)
        deleting.join(10)
        self.assertEqual({}, self.driver.taps)

    def test_a_search_releases_sandboxes_whose_network_namespace_is_gone(self) -> None:
        gone = self.ports.add(self._sandbox("a", "uid-a"))
        self.ports.add(self._sandbox("b", "uid-b"))
        Path(gone.netns).unlink()
        self.ports.collect()
        self.assertEqual(["b"], list(self.driver.taps.values()))

    def test_a_search_releases_what_a_pods_newer_sandbox_has_replaced(self) -> None:
        self.ports.add(self._sandbox("a", created_at=1.0))
        self.ports.add(self._sandbox("b", created_at=2.0))
        self.ports.collect()
        self.assertEqual(["b"], list(self.driver.taps.values()))

    def test_a_search_spares_a_sandbox_that_is_just_being_added(self) -> None:
        self.ports.add(self._sandbox("a", created_at=1.0))
        self.store.save(self._sandbox("b", created_at=2.0))
        self.ports.collect()
        self.assertEqual({"a", "b"}, {s.sandbox_id for s in self.store.all() if s.state is not SandboxState.RELEASING})

    def test_a_search_deletes_devices_records_and_ports_of_nobody(self) -> None:
        self.driver.taps["tap00000007-31"] = "x"
        (self.directory / "records" / "y.json").write_text("{}")
        self.conductor.ports["z"] = agent_builders.binding(8)
        self.ports.collect()
        self._release()
        self.assertEqual(({}, set(), {}), (self.driver.taps, self.store.recorded(), self.conductor.ports))

    def test_garbage_collection_keeps_exactly_what_is_named(self) -> None:
        for name in ("a", "b"):
            self.ports.add(self._sandbox(name, f"uid-{name}"))
        self.ports.keep_only(["b"])
        self.assertEqual(["b"], list(self.driver.taps.values()))

    def test_checking_tells_an_unknown_sandbox_from_a_broken_one(self) -> None:
        self.assertRaises(sandbox_ports.UnknownSandbox, self.ports.check, "a")
        self.ports.add(self._sandbox("a"))
        self.ports.check("a")
        self.driver.taps.clear()
        self.assertRaises(drivers.PlugFailed, self.ports.check, "a")

    def test_status_is_answered_from_a_recent_check(self) -> None:
        clock = self.useFixture(fixtures.MockPatch("time.monotonic", return_value=100.0)).mock
        for now in (100.0, 105.0, 129.0):
            clock.return_value = now
            self.ports.status()
        self.assertEqual(["ping"], self.driver.calls)
        clock.return_value = 130.0
        self.ports.status()
        self.assertEqual(["ping", "ping"], self.driver.calls)

    def test_status_checks_again_after_every_failure(self) -> None:
        self.ports.add(self._sandbox("a"))
        self.ports.status()
        self.driver.broken = True
        self.assertRaises(drivers.PlugFailed, self.ports.delete, "a")
        self.assertRaises(drivers.PlugFailed, self.ports.status)
        self.assertRaises(drivers.PlugFailed, self.ports.status)
        self.driver.broken = False
        self.ports.status()
        self.assertEqual(4, self.driver.calls.count("ping"))
