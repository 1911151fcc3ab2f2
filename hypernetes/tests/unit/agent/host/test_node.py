# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.host.node."""

import dataclasses
from pathlib import Path

import testtools

from hypernetes.agent.host import node as nodes
from hypernetes.tests.support import agent_builders


class NodeTest(testtools.TestCase):
    def test_an_ipv6_address_is_bracketed_in_the_apiservers_url(self) -> None:
        node, _, _ = agent_builders.node(Path("/nonexistent"))
        self.assertEqual("https://192.0.2.1:6443", node.api_address)
        conf = agent_builders.configuration(Path("/nonexistent"), address="2001:db8::1")
        self.assertEqual("https://[2001:db8::1]:6443", dataclasses.replace(node, conf=conf).api_address)

    def test_the_kernel_tells_the_boot(self) -> None:
        self.assertEqual(36, len(nodes.boot_id()))
