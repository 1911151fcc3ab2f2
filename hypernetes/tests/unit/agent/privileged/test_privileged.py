# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.privileged."""

import testtools
from oslo_privsep import capabilities

from hypernetes.agent import privileged
from hypernetes.agent.privileged import tap


class PrivilegedTest(testtools.TestCase):
    def test_only_pods_devices_may_be_named(self) -> None:
        tap._check("tap142c9f5c-31")
        for name in ("eth0", "tap", "tap142c9f5c-31x", "tap../../../", "br-int", "tap142c9f5c-3\n"):
            self.assertRaises(ValueError, tap._check, name)

    def test_the_daemon_keeps_one_capability(self) -> None:
        self.assertEqual([capabilities.CAP_NET_ADMIN], privileged.context.conf.capabilities)
