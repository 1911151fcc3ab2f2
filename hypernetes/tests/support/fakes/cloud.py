# SPDX-License-Identifier: Apache-2.0
"""An OpenStack in memory: Keystone's grants, a Neutron and a Cinder."""

from hypernetes.openstack import failures
from hypernetes.openstack import keystone
from hypernetes.tests.support.fakes import cinder
from hypernetes.tests.support.fakes import fate as fates
from hypernetes.tests.support.fakes import neutron


class FakeKeystone:
    def __init__(self, fake: neutron.FakeNeutron) -> None:
        self._fake = fake
        self.states: dict[str, keystone.ProjectState] = {}
        """Of the projects that are not enabled."""
        self.is_whole = True

    def project_state(self, project_id: str) -> keystone.ProjectState:
        return self.states.get(project_id, keystone.ProjectState.ENABLED)

    def finds_itself(self) -> bool:
        return self.is_whole

    def change(self, project_id: str, state: keystone.ProjectState) -> None:
        """Delete or disable a project: Keystone issues no tokens for it, and Neutron accepts none."""
        self.states[project_id] = state
        self._fake.members.discard(project_id)

    def grant_member(self, project_id: str) -> None:
        state = self.project_state(project_id)
        if state is keystone.ProjectState.GONE:
            raise failures.ProjectGone(project=project_id)
        if state is keystone.ProjectState.DISABLED:
            # The assignment is made, but there is no token.
            return
        with self._fake.fate.decides():
            self._fake.members.add(project_id)

    def revoke_member(self, project_id: str) -> None:
        with self._fake.fate.decides():
            self._fake.members.discard(project_id)


class FakeCloud:
    def __init__(self, fate: fates.Fate) -> None:
        self.neutron = neutron.FakeNeutron(fate)
        self.cinder = cinder.FakeCinder(self.neutron)
        self.keystone = FakeKeystone(self.neutron)
        self.ports = neutron.FakePorts(self.neutron)

    def project(self, project_id: str) -> neutron.FakeProjectNetworking:
        return neutron.FakeProjectNetworking(self.neutron, project_id)

    def networks(self, project_id: str) -> neutron.FakeNamespaceNetworking:
        return neutron.FakeNamespaceNetworking(self.neutron, project_id)

    def volumes(self, project_id: str) -> cinder.FakeProjectVolumes:
        return cinder.FakeProjectVolumes(self.cinder, project_id)
