# SPDX-License-Identifier: Apache-2.0
"""Sessions of the service user, by the scope of their tokens.

* ``service()``: the service project, role ``service``. Neutron's policies let it create, bind and delete ports in any
  project, and change nothing else of tenants.
* ``domain_manager()``: the tenants' domain, role ``manager``. For grants only.
* ``project(id)``: a tenant's project, role ``member``. It may do what a member of the project may do.

Each connection is opened once and kept; keystoneauth renews its token. All requests have the configured timeout.
"""

import collections
import threading
from typing import Any

from keystoneauth1 import loading
from keystoneauth1 import session as auth_session
from keystoneauth1.loading import session as session_loading
from openstack import connection
from oslo_config import cfg
from oslo_context import context

_GROUP = "openstack"

_SCOPE_OPTIONS = (
    "project_id",
    "project_name",
    "project_domain_id",
    "project_domain_name",
    "domain_id",
    "domain_name",
    "system_scope",
    "trust_id",
)

_KEPT_PROJECTS = 256
"""Connections kept for tenants' projects; the least recently used one is dropped first."""


class _Session(auth_session.Session):
    """Retries only requests that can be repeated, and passes the request ID on.

    keystoneauth also takes a lost or late response for a failure to connect. A network created twice would be recorded
    once, and the other one would stay forever; the reconcilers look for what they created before they retry.
    """

    def request(self, url: str, method: str, *more: Any, **options: Any) -> Any:
        """Send a request; ``authenticated`` is False for a request for a token, which can be repeated."""
        if method not in ("GET", "HEAD", "DELETE") and options.get("authenticated") is not False:
            options["connect_retries"] = 0
        current = context.get_current()
        if current is not None:
            # Neutron and Keystone log it as their global request ID.
            options["headers"] = {"X-OpenStack-Request-ID": current.request_id} | dict(options.get("headers") or {})
        return super().request(url, method, *more, **options)


class _SessionLoader(session_loading.Session):
    """Reads the session's options for :class:`_Session`."""

    @property
    def plugin_class(self) -> type[_Session]:
        return _Session


class Sessions:
    """Opens and keeps connections. Safe for threads.

    :raises keystoneauth1.exceptions.MissingRequiredOptions: when the credentials are incomplete.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._options = conf.openstack
        # Loads without I/O: incomplete credentials end the process at its start and not at its first request.
        loading.load_auth_from_conf_options(conf, _GROUP)
        self._discovered: dict[str, Any] = {}
        """Shared by all sessions, so that Keystone's versions are discovered once."""
        self._lock = threading.Lock()
        self._service: connection.Connection | None = None
        self._manager: auth_session.Session | None = None
        self._projects: collections.OrderedDict[str, connection.Connection] = collections.OrderedDict()

    def service(self) -> connection.Connection:
        """Return the connection with the role ``service``."""
        with self._lock:
            if self._service is None:
                self._service = self._connect(self._session())
            return self._service

    def domain_manager(self) -> auth_session.Session:
        """Return the session scoped to the tenants' domain."""
        with self._lock:
            if self._manager is None:
                self._manager = self._session(domain_id=self._options.managed_domain_id)
            return self._manager

    def project(self, project_id: str) -> connection.Connection:
        """Return the connection of a member of the project."""
        with self._lock:
            known = self._projects.pop(project_id, None)
            if known is None:
                known = self._connect(self._session(project_id=project_id))
            self._projects[project_id] = known
            while len(self._projects) > _KEPT_PROJECTS:
                self._projects.popitem(last=False)
            return known

    def forget_project(self, project_id: str) -> None:
        """Drop a project's connection, so that the next use gets a new token with the current roles."""
        with self._lock:
            self._projects.pop(project_id, None)

    def _connect(self, session: auth_session.Session) -> connection.Connection:
        return connection.Connection(
            session=session,
            region_name=self._options.region_name,
            network_interface=self._options.valid_interfaces,
            network_api_version="2",
            app_name="hypernetes",
        )

    def _session(self, **scope: str) -> auth_session.Session:
        """Make a session with the configured credentials.

        :param scope: replaces the scope of the configuration.
        """
        replaced = dict.fromkeys(_SCOPE_OPTIONS) | scope if scope else {}
        auth = loading.load_auth_from_conf_options(self._conf, _GROUP, **replaced)
        return _SessionLoader().load_from_conf_options(
            self._conf,
            _GROUP,
            auth=auth,
            connect_retries=self._options.connect_retries,
            discovery_cache=self._discovered,
            app_name="hypernetes",
        )
