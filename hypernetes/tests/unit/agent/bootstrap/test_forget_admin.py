# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.bootstrap.forget_admin."""

from hypernetes.agent.bootstrap import forget_admin
from hypernetes.tests.support import agent_builders


class ForgetAdminTest(agent_builders.PhaseTest):
    def test_the_administrators_kubeconfigs_are_deleted_and_no_other(self) -> None:
        self.layout.kubernetes.mkdir()
        for name in ("admin.conf", "super-admin.conf", "kubelet.conf"):
            (self.layout.kubernetes / name).touch()
        for _ in range(2):
            forget_admin.run(self.node, {})
        self.assertEqual(["kubelet.conf"], [path.name for path in self.layout.kubernetes.iterdir()])
