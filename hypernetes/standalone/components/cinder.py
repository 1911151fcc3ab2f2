# SPDX-License-Identifier: Apache-2.0
"""Cinder on Ceph: the API over TLS, the scheduler, the volume service; only for ``up --with cinder``."""

from __future__ import annotations

from pathlib import Path

from keystoneauth1 import exceptions
from openstack.exceptions import SDKException

from hypernetes.standalone import addresses
from hypernetes.standalone import ini
from hypernetes.standalone import machine
from hypernetes.standalone import packages
from hypernetes.standalone import probes
from hypernetes.standalone import wsgi
from hypernetes.standalone.component import Component
from hypernetes.standalone.components import ceph
from hypernetes.standalone.components import identity
from hypernetes.standalone.components import mariadb
from hypernetes.standalone.components import rabbitmq
from hypernetes.standalone.installation import Installation
from hypernetes.standalone.supervision import Program

NAME = BACKEND_CLIENT = "cinder"
BACKEND = "ceph"
VOLUME_TYPE = "standard"
WORKERS = ("scheduler", "volume")
USERS = (identity.ServiceUser(NAME),)
CATALOG = (identity.CatalogEntry(NAME, "block-storage", f"{addresses.CINDER_URL}/v3", "OpenStack Block Storage"),)
# Debian has Ceph's bindings for its own interpreter, from which the virtual environment is made.
DEBIAN_MODULES = Path("/usr/lib/python3/dist-packages")
BINDINGS = ("rados", "rbd")


def configuration(installation: Installation) -> ini.Sections:
    """Return Cinder's options: one backend, the pool of Ceph."""
    layout = installation.layout
    directory = layout.service(NAME)
    return {
        "DEFAULT": {
            "api_paste_config": str(layout.venv / "etc/cinder/api-paste.ini"),
            "resource_query_filters_file": str(layout.venv / "etc/cinder/resource_filters.json"),
            "state_path": str(directory),
            "transport_url": rabbitmq.url(installation, NAME, NAME),
            "enabled_backends": [BACKEND],
            "default_volume_type": VOLUME_TYPE,
            # The name of the volume service, which is written into each volume: not the machine's.
            "host": "control",
            # Read at the start even where no volume is made from an image.
            "glance_api_servers": [],
        },
        "database": {"connection": mariadb.url(installation, NAME), "max_pool_size": 10},
        "keystone_authtoken": identity.token_middleware(installation, NAME),
        "oslo_concurrency": {"lock_path": str(directory / "lock")},
        "oslo_messaging_rabbit": rabbitmq.client_options(installation),
        "oslo_policy": {"policy_file": str(_policy(installation)), "enforce_new_defaults": True, "enforce_scope": True},
        BACKEND: {
            "volume_driver": "cinder.volume.drivers.rbd.RBDDriver",
            "volume_backend_name": BACKEND,
            "rbd_ceph_conf": str(ceph.configuration_file(installation)),
            "rbd_user": BACKEND_CLIENT,
            "rbd_pool": ceph.POOL,
            "rados_connect_timeout": 10,
            "report_discard_supported": True,
        },
    }


def _policy(installation: Installation) -> Path:
    """Return the rules that keep tenants from cutting attachments off."""
    return installation.layout.repository / "etc/cinder/policy-hypernetes.yaml"


def start(installation: Installation) -> None:
    """Install, register, configure, migrate, start, create the type of volume."""
    packages.install_extra(installation, NAME, NAME)
    identity.register(installation, "cinder-identity", USERS, CATALOG)
    mariadb.ensure_databases(installation, [NAME])
    rabbitmq.ensure_virtual_host(installation, NAME)
    pool = f"profile rbd pool={ceph.POOL}"
    ceph.grant(installation, BACKEND_CLIENT, mon="profile rbd", osd=pool, mgr=pool)
    directory = installation.layout.service(NAME)
    path = directory / "cinder.conf"
    machine.write(path, ini.render(configuration(installation)), mode=0o600)
    (directory / "lock").mkdir(exist_ok=True)

    def migrate() -> None:
        command: list[str | Path] = [installation.executable("cinder-manage"), "--config-file", path]
        machine.run([*command, "db", "sync"], timeout=300)

    installation.once("cinder-database", packages.pinned(installation, NAME), migrate)
    _run(installation, path)
    machine.wait_until(lambda: _answers(installation), "Cinder's API", timeout=60)
    installation.once("cinder-type", [VOLUME_TYPE, BACKEND], lambda: _make_type(installation))


def _run(installation: Installation, path: Path) -> None:
    tls = installation.layout.tls
    service = wsgi.Service(
        name=NAME,
        module="cinder.wsgi.api:application",
        port=addresses.CINDER_PORT,
        certificate=(tls / f"{NAME}.crt", tls / f"{NAME}.key"),
        arguments=f"--config-file {path}",
        files=[path, _policy(installation)],
    )
    installation.control.apply(wsgi.program(installation, service))
    for worker in WORKERS:
        installation.control.apply(
            Program(
                name=f"cinder-{worker}",
                command=[installation.executable(f"cinder-{worker}"), "--config-file", path],
                environment={"PYTHONPATH": str(_bindings(installation))},
                files=[path],
                stop_seconds=30,
            )
        )


def _bindings(installation: Installation) -> Path:
    """Return a directory with Ceph's Python bindings and nothing else of Debian's."""
    directory = installation.layout.service(NAME) / "bindings"
    directory.mkdir(exist_ok=True)
    for name in BINDINGS:
        for module in DEBIAN_MODULES.glob(f"{name}.cpython-*.so"):
            link = directory / module.name
            link.unlink(missing_ok=True)
            link.symlink_to(module)
    return directory


def _make_type(installation: Installation) -> None:
    storage = identity.administrator(installation).block_storage
    if storage.find_type(VOLUME_TYPE) is None:
        storage.create_type(name=VOLUME_TYPE, extra_specs={"volume_backend_name": BACKEND})


def _answers(installation: Installation) -> bool:
    return probes.answers(f"{addresses.CINDER_URL}/healthcheck", ca_file=installation.layout.ca_certificate)


def ready(installation: Installation) -> bool:
    """Return whether the API answers and says that its workers are up."""
    if not _answers(installation):
        return False
    try:
        services = list(identity.administrator(installation).block_storage.services())
    except (exceptions.ClientException, SDKException, OSError):
        return False
    return {f"cinder-{worker}" for worker in WORKERS} <= {one.binary for one in services if one.state == "up"}


COMPONENT = Component(
    name=NAME,
    summary=f"volumes: {addresses.CINDER_URL}",
    needs=("tls", "mariadb", "rabbitmq", "memcached", "identity", "ceph"),
    start=start,
    ready=ready,
    timeout=180,
    optional=True,
)
