# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.privileged."""

import testtools
from oslo_privsep import capabilities

from hypernetes.agent import privileged
from hypernetes.agent.ports import driver
from hypernetes.agent.ports import ovs as ports_ovs
from hypernetes.agent.privileged import ovs
from hypernetes.agent.privileged import tap

SOCKET = "unix:/run/openvswitch/db.sock"
PLUG = driver.Plug("a" * 64, "142c9f5c-3163-4f2c-8a4b-7d7b4d6a2f10", "tap142c9f5c-31", "fa:16:3e:00:00:05", 1442)


class PrivilegedTest(testtools.TestCase):
    def test_only_pods_devices_may_be_named(self) -> None:
        tap._check("tap142c9f5c-31")
        for name in ("eth0", "tap", "tap142c9f5c-31x", "tap../../../", "br-int", "tap142c9f5c-3\n"):
            self.assertRaises(ValueError, tap._check, name)

    def test_the_daemon_keeps_one_capability(self) -> None:
        self.assertEqual([capabilities.CAP_NET_ADMIN], privileged.context.conf.capabilities)

    def test_the_transactions_of_the_agent_are_known(self) -> None:
        for arguments in (
            ports_ovs.plug_arguments("br-int", PLUG),
            ["--", "--if-exists", "del-port", "br-int", PLUG.tap],
            ["wait-until", "Interface", PLUG.tap, "external_ids:ovn-installed=true"],
            ["--columns=name,external_ids", "find", "Interface", 'external_ids:hypernetes-sandbox!=""'],
            ["br-exists", "br-int"],
        ):
            ovs.check(SOCKET, arguments)

    def test_no_other_transaction_is(self) -> None:
        plug = ports_ovs.plug_arguments("br-int", PLUG)
        for arguments in (
            ["--log-file=/etc/cron.d/x", "br-exists", "br-int"],
            ["--db=tcp:203.0.113.1:6640", "br-exists", "br-int"],
            ["del-br", "br-int"],
            ["--", "--if-exists", "del-port", "br-int", "eth0"],
            ["set-manager", "ptcp:6640"],
            [*plug, "--", "del-br", "br-int"],
            [*plug[:5], "--", "set", "Interface", PLUG.tap, "type=patch"],
            [*plug, "external_ids:iface-id=x"],
            ["br-exists", "br-int\0"],
            ["br-exists", "--log-file=x"],
            [],
        ):
            self.assertRaises(ValueError, ovs.check, SOCKET, arguments)
        self.assertRaises(ValueError, ovs.check, "punix:/x --log-file=/y", ["br-exists", "br-int"])
