# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.heartbeat."""

import threading
from pathlib import Path
from unittest import mock

import fixtures
import testtools

from hypernetes.agent import heartbeat
from hypernetes.agent.host import services
from hypernetes.model import errors
from hypernetes.rpc import messages
from hypernetes.tests.support import agent_builders


class HeartbeatTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.FakeLogger())
        self.node, self.services, _ = agent_builders.node(Path(self.useFixture(fixtures.TempDir()).path))
        self.node.conf.set_override("heartbeat_interval", 0.2, group="agent")

    def test_the_report_says_who_where_and_how_the_programs_are(self) -> None:
        self.services.states["containerd"] = services.ServiceState.RUNNING
        report = heartbeat.report(self.node, agent_builders.CALLER)
        self.assertEqual("192.0.2.1", report.address)
        self.assertEqual({"containerd": "RUNNING", "kubelet": "UNKNOWN"}, report.services)

    def test_it_goes_on_after_a_failure_and_hands_an_order_over(self) -> None:
        stop = threading.Event()
        order = messages.PhaseOrder("order-1", "cluster-1", "certs")
        conductor = mock.Mock(caller=agent_builders.CALLER)
        conductor.heartbeat.side_effect = [
            errors.Unavailable(service="The conductor", reason="gone"),
            ValueError("a surprise"),
            messages.HeartbeatAnswer(order),
        ]
        taken: list[messages.PhaseOrder] = []

        def submit(taken_order: messages.PhaseOrder) -> None:
            taken.append(taken_order)
            stop.set()

        thread = threading.Thread(target=heartbeat.beat_until, args=(stop, self.node, conductor, submit))
        thread.start()
        thread.join(10)
        self.assertFalse(thread.is_alive())
        self.assertEqual([order], taken)
