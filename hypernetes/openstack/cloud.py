# SPDX-License-Identifier: Apache-2.0
"""OpenStack as one object, for those who use it."""

from oslo_config import cfg

from hypernetes.model import ids
from hypernetes.openstack import keystone
from hypernetes.openstack import neutron
from hypernetes.openstack import session


class Cloud:
    """Keystone and Neutron with one service user. Safe for threads; connects at first use."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._sessions = session.Sessions(conf)
        self.keystone = keystone.Keystone(conf, self._sessions)
        self.ports = neutron.Ports(self._sessions)

    def networks(self, project_id: ids.ProjectId) -> neutron.ProjectNetworks:
        """What can be made in one project."""
        return neutron.ProjectNetworks(self._conf, self._sessions, project_id)
