# SPDX-License-Identifier: Apache-2.0
"""Several nodes on one machine: what each has for itself."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

from hypernetes.standalone import addresses
from hypernetes.standalone import cgroups
from hypernetes.standalone import machine
from hypernetes.standalone import mounts
from hypernetes.standalone import nodes
from hypernetes.standalone.components import agent
from hypernetes.standalone.components import node
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.layout import Layout

NODES = [nodes.Node(name) for name in addresses.NODES]


class SeveralNodesTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        place = Path(directory.name)
        self.installation = Installation(Layout(state=place / "state", cache=place / "cache", repository=place))

    def test_no_address_and_no_device_is_shared(self) -> None:
        for field in ("address", "tunnel_address", "host_device", "tunnel_device", "network_namespace"):
            self.assertEqual(len(NODES), len({getattr(one, field) for one in NODES}), field)
        networks = {addresses.NODES[one.name].rpartition(".")[0] for one in NODES}
        tunnels = {one.tunnel_address.rpartition(".")[0] for one in NODES}
        self.assertEqual(set(), networks & tunnels)
        for one in NODES:
            self.assertLess(len(one.tunnel_device), 16)

    def test_tunnels_end_at_the_address_that_the_bridge_has(self) -> None:
        for one in NODES:
            self.assertEqual(one.tunnel_address, node.external_ids(one)["ovn-encap-ip"])
            self.assertIn(f"{one.tunnel_address}/24 dev br-tunnel", node.underlay_script(one))

    def test_no_virtual_machines_of_two_nodes_have_the_same_user(self) -> None:
        seen: set[int] = set()
        for one in NODES:
            options = agent.configuration(one, "id")["node"]
            base, count = int(str(options["uid_base"])), int(str(options["uid_count"]))
            own = set(range(base, base + count))
            self.assertEqual(set(), seen & own)
            seen |= own

    def test_only_the_control_node_has_the_apiserver_s_certificate_for_the_webhook(self) -> None:
        with_it = [one.name for one in NODES if "webhook_client_key_file" in agent.configuration(one, "id")["node"]]
        self.assertEqual(["node1"], with_it)

    def test_the_removal_of_one_leaves_the_others_namespaces_pinned(self) -> None:
        for one in NODES:
            pin = nodes.mount_namespace(self.installation, one)
            pin.parent.mkdir(parents=True, exist_ok=True)
            pin.touch()
        with (
            mock.patch.object(machine, "run", return_value=""),
            mock.patch.object(mounts, "unmount_below") as unmounted,
            mock.patch.object(cgroups, "end_processes"),
            mock.patch.object(cgroups, "node_roots", return_value=[]),
        ):
            nodes.remove(self.installation, NODES[1])
        unmounted.assert_called_once_with(nodes.mount_namespace(self.installation, NODES[1]))
        left = [one.name for one in NODES if nodes.mount_namespace(self.installation, one).exists()]
        self.assertEqual(["node1", "node3"], left)

    def test_a_node_has_a_hosts_file_of_its_own_and_keeps_its_lines(self) -> None:
        for one in NODES:
            nodes._write_hosts(self.installation, one)
        first = self.installation.layout.node("node1") / "etc/hypernetes/hosts"
        first.write_text("192.0.2.1 api\n")
        nodes._write_hosts(self.installation, NODES[0])
        self.assertEqual("192.0.2.1 api\n", first.read_text())
        second = self.installation.layout.node("node2")
        self.assertIn(f"{second}/etc/hypernetes/hosts /etc/hosts none bind", nodes.fstab(second, Path("/dist"), []))
