# SPDX-License-Identifier: Apache-2.0
"""Horizon over TLS with the panels of Hypernetes; only for ``up --with horizon``."""

from __future__ import annotations

from hypernetes.standalone import addresses
from hypernetes.standalone import machine
from hypernetes.standalone import packages
from hypernetes.standalone import probes
from hypernetes.standalone import wsgi
from hypernetes.standalone.component import Component
from hypernetes.standalone.installation import Installation

NAME = PROJECT = "horizon"
STATIC_TIMEOUT = 600
SETTINGS = "openstack_dashboard.settings"

_LOCAL_SETTINGS = """\
from pathlib import Path as _Path

from openstack_dashboard.defaults import *
# With another name: Horizon's settings import all from here, and have an "enabled" of their own.
from openstack_dashboard.local import enabled as _panels

# Horizon looks for panels in this package; an operator copies the files there.
_panels.__path__.append({enabled!r})
exec(_Path({policies!r}).read_text())

DEBUG = False
ALLOWED_HOSTS = [{host!r}]
LOCAL_PATH = {directory!r}
SECRET_KEY = {secret!r}
STATIC_ROOT = {static!r}
CSRF_COOKIE_SECURE = SESSION_COOKIE_SECURE = True
OPENSTACK_KEYSTONE_URL = {keystone!r}
OPENSTACK_SSL_CACERT = {ca!r}
OPENSTACK_KEYSTONE_DEFAULT_ROLE = "member"
SESSION_ENGINE = "django.contrib.sessions.backends.cache"
CACHES = {{
    "default": {{"BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache", "LOCATION": {memcached!r}}}
}}
TIME_ZONE = "UTC"
# Without Nova there is no overview, to which Horizon would lead.
LOGIN_REDIRECT_URL = "/project/kubernetes_namespaces/"
LOGGING = {{
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {{"console": {{"class": "logging.StreamHandler"}}}},
    "root": {{"handlers": ["console"], "level": "WARNING"}},
}}
"""


def local_settings(installation: Installation) -> str:
    """Return what Horizon reads as ``local.local_settings``."""
    directory = installation.layout.service(NAME)
    dashboard = installation.layout.repository / "hypernetes/dashboard"
    return _LOCAL_SETTINGS.format(
        enabled=str(dashboard / "enabled"),
        policies=str(dashboard / "local_settings/_1380_hypernetes_dashboard.py"),
        host=addresses.CONTROL,
        directory=str(directory),
        secret=installation.password("horizon-secret-key"),
        static=str(directory / "static"),
        keystone=addresses.KEYSTONE_URL,
        ca=str(installation.layout.ca_certificate),
        memcached=addresses.MEMCACHED,
    )


def start(installation: Installation) -> None:
    """Install, configure, collect the static files, start."""
    packages.install_extra(installation, "dashboard", PROJECT)
    layout = installation.layout
    directory = layout.service(NAME)
    path = directory / "local/local_settings.py"
    machine.write(path, local_settings(installation), mode=0o600)
    machine.write(path.parent / "__init__.py", "")
    # Before Horizon's own directory, which it appends to Python's path.
    environment = {"DJANGO_SETTINGS_MODULE": SETTINGS, "PYTHONPATH": str(directory)}

    def collect() -> None:
        words = ("-m", "django", "collectstatic", "--noinput", "--verbosity=0")
        machine.run([layout.venv / "bin/python", *words], timeout=STATIC_TIMEOUT, environment=environment)

    # The first page compresses them.
    installation.once("horizon-static", [packages.pinned(installation, PROJECT), str(directory)], collect)
    service = wsgi.Service(
        name=NAME,
        module="openstack_dashboard.wsgi:application",
        port=addresses.HORIZON_PORT,
        certificate=(layout.tls / f"{NAME}.crt", layout.tls / f"{NAME}.key"),
        environment=environment,
        options=(f"static-map = /static={directory / 'static'}",),
        files=[path, *layout.sources()],
    )
    installation.control.apply(wsgi.program(installation, service))


def ready(installation: Installation) -> bool:
    """Return whether the page to log in is served."""
    url = f"{addresses.HORIZON_URL}/auth/login/"
    return probes.answers(url, ca_file=installation.layout.ca_certificate)


COMPONENT = Component(
    name=NAME,
    summary=f"the dashboard: {addresses.HORIZON_URL}",
    needs=("supervisor", "tls", "memcached", "identity", "neutron", "proxy"),
    start=start,
    ready=ready,
    timeout=300,
    optional=True,
)
