# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.ports.ovs, with the privileged calls noted instead of made."""

import json
from pathlib import Path
from unittest import mock

import fixtures
import testtools

from hypernetes.agent.ports import driver as drivers
from hypernetes.agent.ports import ovs
from hypernetes.tests.support import agent_builders

PLUG = drivers.Plug("sandbox-1", "port-1", "tap00000005-31", "fa:16:3e:00:00:05", 1442)


class OvsTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        # One parent, so that the order of the calls to both modules is seen.
        self.privileged = mock.Mock()
        self.useFixture(fixtures.MockPatchObject(ovs, "privileged_tap", self.privileged.tap))
        self.useFixture(fixtures.MockPatchObject(ovs, "privileged_ovs", self.privileged.ovs))
        self.privileged.tap.ALIAS_PREFIX = "hypernetes:"
        self.privileged.ovs.vsctl.return_value = ""
        self.driver = ovs.OvsDriver(agent_builders.configuration(Path("/nonexistent"), plug_timeout=7.0))

    def test_the_device_is_there_before_it_is_connected_and_flows_before_it_returns(self) -> None:
        self.driver.plug(PLUG)
        calls = self.privileged.mock_calls
        self.assertEqual(mock.call.tap.create("tap00000005-31", 1442, "hypernetes:sandbox-1"), calls[0])
        self.assertIn("add-port", calls[1].args[2])
        self.assertEqual(
            mock.call.ovs.vsctl(
                "unix:/run/openvswitch/db.sock",
                7.0,
                ["wait-until", "Interface", "tap00000005-31", "external_ids:ovn-installed=true"],
            ),
            calls[2],
        )

    def test_ovn_finds_the_port_by_its_id_and_we_by_the_sandbox(self) -> None:
        arguments = ovs.plug_arguments("br-int", PLUG)
        self.assertIn('external_ids:iface-id="port-1"', arguments)
        self.assertIn('external_ids:attached-mac="fa:16:3e:00:00:05"', arguments)
        self.assertIn('external_ids:hypernetes-sandbox="sandbox-1"', arguments)

    def test_flows_that_do_not_come_are_told_with_the_port(self) -> None:
        self.privileged.ovs.vsctl.side_effect = ["", RuntimeError("Alarm clock")]
        failure = self.assertRaises(drivers.PlugFailed, self.driver.plug, PLUG)
        self.assertIn("OVN has not installed the flows of port port-1 within 7 s", str(failure))

    def test_a_kernel_that_refuses_the_device_is_told(self) -> None:
        self.privileged.tap.create.side_effect = OSError("no such device")
        self.assertRaises(drivers.PlugFailed, self.driver.plug, PLUG)
        self.privileged.ovs.vsctl.assert_not_called()

    def test_unplugging_disconnects_before_it_deletes(self) -> None:
        self.driver.unplug("tap00000005-31")
        self.assertEqual(["ovs.vsctl", "tap.delete"], [name for name, _, _ in self.privileged.mock_calls])

    def test_devices_without_a_port_are_found_too(self) -> None:
        table = {
            "headings": ["name", "external_ids"],
            "data": [["tap-a", ["map", [["iface-id", "x"], ["hypernetes-sandbox", "a"]]]]],
        }
        self.privileged.ovs.vsctl.return_value = json.dumps(table)
        self.privileged.tap.list_all.return_value = {"tap-b": "b"}
        self.assertEqual({"tap-a": "a", "tap-b": "b"}, self.driver.devices())

    def test_a_check_notices_a_device_that_is_gone_or_not_connected(self) -> None:
        self.privileged.tap.list_all.return_value = {}
        self.assertRaises(drivers.PlugFailed, self.driver.check, PLUG)
