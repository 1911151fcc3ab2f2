# SPDX-License-Identifier: Apache-2.0
"""Gives services one object for all of OpenStack."""

from oslo_config import cfg

from hypernetes.model import ids
from hypernetes.openstack import cinder
from hypernetes.openstack import keystone
from hypernetes.openstack import session
from hypernetes.openstack.neutron import namespace
from hypernetes.openstack.neutron import ports
from hypernetes.openstack.neutron import project


class Cloud:
    """Keystone, Neutron and Cinder with one service user. Safe for threads; connects at the first use."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._sessions = session.Sessions(conf)
        self.keystone = keystone.Keystone(conf, self._sessions)
        self.ports = ports.Ports(conf, self._sessions)

    def project(self, project_id: ids.ProjectId) -> project.ProjectNetworking:
        """Return access to the resources that a project has once: router and subnet pool."""
        return project.ProjectNetworking(self._conf, self._sessions, project_id)

    def networks(self, project_id: ids.ProjectId) -> namespace.NamespaceNetworking:
        """Return access to the resources of a project's namespaces."""
        return namespace.NamespaceNetworking(self._conf, self._sessions, project_id)

    def volumes(self, project_id: ids.ProjectId) -> cinder.ProjectVolumes:
        """Return access to a project's volumes."""
        return cinder.ProjectVolumes(self._conf, self._sessions, project_id)
