# SPDX-License-Identifier: Apache-2.0
"""An OpenStack in memory: Keystone's grants and a Neutron."""

from hypernetes.tests.support.fakes import fate as fates
from hypernetes.tests.support.fakes import neutron


class FakeKeystone:
    def __init__(self, fake: neutron.FakeNeutron) -> None:
        self._fake = fake

    def grant_member(self, project_id: str) -> None:
        with self._fake.fate.decides():
            self._fake.members.add(project_id)

    def revoke_member(self, project_id: str) -> None:
        with self._fake.fate.decides():
            self._fake.members.discard(project_id)


class FakeCloud:
    def __init__(self, fate: fates.Fate) -> None:
        self.neutron = neutron.FakeNeutron(fate)
        self.keystone = FakeKeystone(self.neutron)
        self.ports = neutron.FakePorts(self.neutron)

    def project(self, project_id: str) -> neutron.FakeProjectNetworking:
        return neutron.FakeProjectNetworking(self.neutron, project_id)

    def networks(self, project_id: str) -> neutron.FakeNamespaceNetworking:
        return neutron.FakeNamespaceNetworking(self.neutron, project_id)
