# SPDX-License-Identifier: Apache-2.0
"""The permissions of a node's RabbitMQ user, as a table."""

import re

import testtools

from hypernetes.rpc import rabbitmq_admin

OWN = (
    "hypernetes.node1",
    "hypernetes-agent.node1",
    "hypernetes-agent.node1.node1",
    "hypernetes-agent.node1_fanout",
    "hypernetes-agent.node1_fanout_node1:agent:2",
    "reply_node1:agent:1",
    "reply_node1:agent:99",
)
OTHERS = (
    "",
    "amq.default",
    "hypernetes",
    "hypernetes-agents",
    "hypernetes-conductor",
    "hypernetes.node10",
    "hypernetes.node1x",
    "hypernetesxnode1",
    "hypernetes-agent.node10",
    "hypernetes-agent.node1-2",
    "hypernetes-agent.node2",
    "hypernetes-agent.node1.other",
    "reply_node1",
    "reply_node1:agent:0",
    "reply_node1:agent:100",
    "reply_node1:agent:1x",
    "reply_node1:other:1",
    "reply_node10:agent:1",
    "reply_0123456789abcdef",
    "x hypernetes.node1",
)


class PermissionPatternTest(testtools.TestCase):
    def test_a_node_has_a_right_to_what_carries_its_name_only(self) -> None:
        pattern = re.compile(rabbitmq_admin.permission_pattern("node1"))
        for name in OWN:
            self.assertTrue(pattern.search(name), name)
        for name in OTHERS:
            self.assertFalse(pattern.search(name), name)
