# SPDX-License-Identifier: Apache-2.0
"""The time limits of a CNI ADD: the party that knows the cause gives up before the one that waits for it."""

import json
from pathlib import Path

import testtools
from oslo_config import cfg

from hypernetes.agent.host import cni as host_cni
from hypernetes.agent.local import fair_executor
from hypernetes.cni import agent as cni_agent
from hypernetes.conf import agent
from hypernetes.conf import conductor
from hypernetes.conf import kubernetes
from hypernetes.conf import messaging
from hypernetes.conf import node
from hypernetes.conf import openstack
from hypernetes.conf import timeouts

_MODULES = (agent, conductor, kubernetes, messaging, node, openstack)


def configuration() -> cfg.ConfigOpts:
    """Return a configuration with every default."""
    conf = cfg.ConfigOpts()
    for module in _MODULES:
        conf.register_opts(module.OPTIONS, group=cfg.OptGroup(module.GROUP.name))
    conf(args=[], default_config_files=[], default_config_dirs=[])
    return conf


class TimeoutsTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.conf = configuration()

    def test_the_plugin_waits_longer_than_the_agent_and_shorter_than_the_kubelet(self) -> None:
        allocate = self.conf.agent.allocate_deadline + self.conf.messaging.allocate_timeout
        plug = self.conf.node.ovsdb_timeout + self.conf.node.plug_timeout
        agent_at_most = timeouts.ADD_TURN + allocate + plug
        self.assertLess(timeouts.CNI_CONNECT + agent_at_most, timeouts.cni_add(self.conf))
        self.assertLess(timeouts.cni_add(self.conf), timeouts.KUBELET_SANDBOX)

    def test_the_agent_has_time_for_several_calls(self) -> None:
        self.assertLess(2 * self.conf.messaging.allocate_timeout, self.conf.agent.allocate_deadline)

    def test_what_a_call_waits_for_ends_before_the_call(self) -> None:
        for inner in (
            self.conf.messaging.call_monitor_timeout,
            self.conf.conductor.allocate_wait,
            self.conf.kubernetes.request_timeout,
        ):
            self.assertLess(inner, self.conf.messaging.allocate_timeout)

    def test_a_killed_conductors_lease_expires_while_the_agent_still_asks(self) -> None:
        wait = self.conf.messaging.call_monitor_timeout + self.conf.conductor.lease_seconds
        self.assertLess(wait, self.conf.agent.allocate_deadline)

    def test_a_late_answer_of_neutron_is_of_use_to_the_agents_next_call(self) -> None:
        self.assertLess(self.conf.openstack.timeout, self.conf.agent.allocate_deadline)

    def test_the_plugins_limit_follows_the_configuration(self) -> None:
        before = timeouts.cni_add(self.conf)
        self.conf.set_override("plug_timeout", 60.0, group="node")
        self.assertEqual(before + 30, timeouts.cni_add(self.conf))
        written = json.loads(host_cni.network("hypernetes-cni", Path("/run/agent.sock"), timeouts.cni_add(self.conf)))
        self.assertEqual(before + 30, written["plugins"][0]["timeout"])

    def test_what_cannot_import_the_table_agrees_with_it(self) -> None:
        # The CNI plug-in imports the standard library only.
        self.assertEqual(timeouts.CNI_CONNECT, cni_agent.RECONNECT_SECONDS)
        self.assertEqual(timeouts.ADD_TURN, fair_executor.PATIENCE_SECONDS)

    def test_the_defaults_are_those_of_the_table(self) -> None:
        for group, option, value in (
            ("agent", "allocate_deadline", timeouts.ALLOCATE_DEADLINE),
            ("messaging", "allocate_timeout", timeouts.ALLOCATE_CALL),
            ("messaging", "call_monitor_timeout", timeouts.CALL_MONITOR),
            ("conductor", "allocate_wait", timeouts.ALLOCATE_WAIT),
            ("kubernetes", "request_timeout", timeouts.APISERVER_REQUEST),
            ("openstack", "timeout", timeouts.OPENSTACK_REQUEST),
            ("node", "ovsdb_timeout", timeouts.OVSDB_TRANSACTION),
            ("node", "plug_timeout", timeouts.PLUG),
        ):
            self.assertEqual(value, self.conf[group][option], f"[{group}] {option}")
