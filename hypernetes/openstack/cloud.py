# SPDX-License-Identifier: Apache-2.0
"""OpenStack as one object, for those who use it."""

from oslo_config import cfg

from hypernetes.model import ids
from hypernetes.openstack import keystone
from hypernetes.openstack import session
from hypernetes.openstack.neutron import namespace
from hypernetes.openstack.neutron import ports
from hypernetes.openstack.neutron import project


class Cloud:
    """Keystone and Neutron with one service user. Safe for threads; connects at first use."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._sessions = session.Sessions(conf)
        self.keystone = keystone.Keystone(conf, self._sessions)
        self.ports = ports.Ports(self._sessions)

    def project(self, project_id: ids.ProjectId) -> project.ProjectNetworking:
        """Return what a project has once: router and subnet pool."""
        return project.ProjectNetworking(self._conf, self._sessions, project_id)

    def networks(self, project_id: ids.ProjectId) -> namespace.NamespaceNetworking:
        """Return what the namespaces of a project have."""
        return namespace.NamespaceNetworking(self._conf, self._sessions, project_id)
