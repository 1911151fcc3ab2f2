# SPDX-License-Identifier: Apache-2.0
"""Sessions of the one service user, by what their tokens are scoped to.

* ``service()``: the service project, role ``service``. Neutron's policies let it make, bind and delete ports in any
  project, and nothing else of tenants.
* ``domain_manager()``: the tenants' domain, role ``manager``. Only for grants.
* ``project(id)``: a tenant's project, role ``member``. Everything a tenant could make there itself.

Each connection is made once and kept; keystoneauth renews its token. All requests have the configured timeout.
"""

import collections
import threading
from typing import Any

from keystoneauth1 import session as auth_session
from keystoneauth1.identity import v3
from openstack import connection
from oslo_config import cfg

_KEPT_PROJECTS = 256
"""Connections kept for tenants' projects; the one used longest ago goes first."""


class _Session(auth_session.Session):
    """Repeats at once only what can be repeated.

    keystoneauth also takes a lost or late answer for a failure to connect. A network made twice would be recorded once,
    and the other one would stay for ever; the reconcilers look for what they made before they try again.
    """

    def request(self, url: str, method: str, *more: Any, **options: Any) -> Any:
        """Send a request; ``authenticated`` is False for a request for a token, which can be repeated."""
        if method not in ("GET", "HEAD", "DELETE") and options.get("authenticated") is not False:
            options["connect_retries"] = 0
        return super().request(url, method, *more, **options)


class Sessions:
    """Makes and keeps connections. Safe for threads."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._options = conf.openstack
        self._lock = threading.Lock()
        self._service: Any = None
        self._manager: Any = None
        self._projects: collections.OrderedDict[str, Any] = collections.OrderedDict()

    def service(self) -> Any:
        """An :class:`openstack.connection.Connection` with the role ``service``."""
        with self._lock:
            if self._service is None:
                self._service = self._connect(
                    project_name=self._options.project_name, project_domain_id=self._options.project_domain_id
                )
            return self._service

    def domain_manager(self) -> Any:
        """A :class:`keystoneauth1.session.Session` scoped to the tenants' domain."""
        with self._lock:
            if self._manager is None:
                self._manager = self._session(domain_id=self._options.managed_domain_id)
            return self._manager

    def project(self, project_id: str) -> Any:
        """An :class:`openstack.connection.Connection` of a member of the project."""
        with self._lock:
            known = self._projects.pop(project_id, None)
            if known is None:
                known = self._connect(project_id=project_id)
            self._projects[project_id] = known
            while len(self._projects) > _KEPT_PROJECTS:
                self._projects.popitem(last=False)
            return known

    def forget_project(self, project_id: str) -> None:
        """Drop a project's connection, so that the next use gets a new token with today's roles."""
        with self._lock:
            self._projects.pop(project_id, None)

    def _connect(self, **scope: Any) -> Any:
        return connection.Connection(
            session=self._session(**scope),
            region_name=self._options.region_name,
            network_interface=self._options.interface,
            network_api_version="2",
            app_name="hypernetes",
        )

    def _session(self, **scope: Any) -> Any:
        options = self._options
        password = v3.Password(
            auth_url=options.auth_url,
            username=options.username,
            password=options.password,
            user_domain_id=options.user_domain_id,
            **scope,
        )
        return _Session(
            auth=password,
            verify=options.ca_file or True,
            timeout=options.timeout,
            connect_retries=options.connect_retries,
            app_name="hypernetes",
        )
