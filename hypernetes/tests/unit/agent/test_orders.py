# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.orders."""

import threading
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import fixtures
import testtools
from oslo_context import fixture as context_fixture

from hypernetes.agent import bootstrap
from hypernetes.agent import orders
from hypernetes.agent.host import services
from hypernetes.model import errors
from hypernetes.rpc import messages
from hypernetes.rpc import request_context
from hypernetes.tests.support import agent_builders

ORDER = messages.PhaseOrder("order-1", "cluster-1", "certs", {"kubeadm.yaml": "x"})


class OrdersTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.FakeLogger())
        self.state = Path(self.useFixture(fixtures.TempDir()).path)
        self.useFixture(fixtures.MockPatchObject(orders, "POLL_SECONDS", 0.02))
        self.conductor = agent_builders.Conductor()
        self.phase = mock.Mock(return_value={"api_address": "https://a"})

    def _run(self, *submitted: messages.PhaseOrder, until: Callable[[], bool]) -> None:
        """An agent as it is after a start, until something has happened."""
        self.orders = orders.Orders(mock.Mock(), {"certs": self.phase}, self.conductor, self.state, 0.05)
        stop = threading.Event()
        thread = threading.Thread(target=self.orders.run_until, args=(stop,))
        thread.start()
        for order in submitted:
            self.orders.submit(order)
        happened = services.wait_until(until, 10)
        stop.set()
        thread.join(10)
        self.assertTrue(happened)

    def _reported(self, count: int = 1) -> Callable[[], bool]:
        return lambda: len(self.conductor.results) >= count

    def test_a_phase_is_carried_out_and_its_outputs_are_reported(self) -> None:
        self._run(ORDER, until=self._reported())
        self.assertEqual(
            [messages.PhaseResult(agent_builders.CALLER, "order-1", True, "", {"api_address": "https://a"})],
            self.conductor.results,
        )
        self.assertEqual({"kubeadm.yaml": "x"}, self.phase.call_args.args[1])

    def test_a_phase_is_carried_out_for_the_request_that_ordered_it(self) -> None:
        self.useFixture(context_fixture.ClearRequestContext())
        ordered_by = request_context.begin()
        carried_out_for: list[str | None] = []

        def phase(*_: object) -> dict[str, str]:
            carried_out_for.append(request_context.current_id())
            return {}

        self.phase.side_effect = phase
        self._run(ORDER, until=self._reported())
        self.assertEqual([ordered_by], carried_out_for)

    def test_a_failure_is_reported_with_its_reason_and_without_secrets(self) -> None:
        self.phase.side_effect = bootstrap.NodePhaseFailed("no etcd; token abcdef.0123456789abcdef")
        self._run(ORDER, until=self._reported())
        result = self.conductor.results[0]
        self.assertEqual((False, "no etcd; token abcdef.<hidden>"), (result.ok, result.message))

    def test_an_unexpected_failure_is_reported_too(self) -> None:
        self.phase.side_effect = KeyError("x" * 5000)
        self._run(ORDER, until=self._reported())
        self.assertFalse(self.conductor.results[0].ok)
        self.assertEqual(orders.MAX_MESSAGE_CHARACTERS, len(self.conductor.results[0].message))

    def test_a_phase_this_agent_does_not_know_fails(self) -> None:
        self._run(messages.PhaseOrder("order-2", "cluster-1", "future"), until=self._reported())
        self.assertIn("does not know the phase", self.conductor.results[0].message)

    def test_a_result_is_reported_until_it_is_answered(self) -> None:
        self.conductor.refusals = [errors.Unavailable(service="The conductor", reason="gone")] * 3
        self._run(ORDER, until=self._reported())
        self.assertEqual((1, []), (self.phase.call_count, self.conductor.refusals))

    def test_a_result_nobody_waits_for_any_more_is_dropped(self) -> None:
        self.conductor.refusals = [errors.NotFound(kind="order", id="order-1")]
        self._run(ORDER, until=lambda: not self.conductor.refusals)
        self.assertEqual([], self.conductor.results)

    def test_a_killed_agent_reports_what_it_had_finished_without_doing_it_again(self) -> None:
        self._run(ORDER, until=self._reported())
        self._run(ORDER, until=self._reported(2))
        self.assertEqual(1, self.phase.call_count)
        self.assertEqual(self.conductor.results[0], self.conductor.results[1])

    def test_a_retry_is_another_order_and_is_carried_out(self) -> None:
        self._run(ORDER, until=self._reported())
        self._run(messages.PhaseOrder("order-2", "cluster-1", "certs"), until=self._reported(2))
        self.assertEqual(2, self.phase.call_count)

    def test_an_order_that_runs_is_not_taken_again(self) -> None:
        begun, leave = threading.Event(), threading.Event()

        def slow(*_: object) -> bootstrap.Outputs:
            begun.set()
            self.orders.submit(ORDER)
            leave.set()
            return {}

        self.phase.side_effect = slow
        self._run(ORDER, until=lambda: leave.is_set() and bool(self.conductor.results))
        self.assertEqual(1, len(self.conductor.results))

    def test_the_token_is_not_written_down_with_the_result(self) -> None:
        self._run(ORDER, until=self._reported())
        self.assertNotIn(agent_builders.CALLER.token, (self.state / "phase-result.json").read_text())
