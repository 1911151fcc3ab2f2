# SPDX-License-Identifier: Apache-2.0
"""Keystone under uWSGI, bootstrapped with the default roles."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from hypernetes.standalone import addresses
from hypernetes.standalone import ini
from hypernetes.standalone import machine
from hypernetes.standalone import probes
from hypernetes.standalone import wsgi
from hypernetes.standalone.component import Component
from hypernetes.standalone.components import mariadb
from hypernetes.standalone.installation import Installation


def configuration(installation: Installation) -> ini.Sections:
    """Return Keystone's options: Fernet tokens, memcached, its database."""
    directory = installation.layout.service("keystone")
    return {
        "DEFAULT": {"log_file": str(installation.layout.log / "keystone-application.log"), "use_stderr": False},
        "database": {"connection": mariadb.url(installation, "keystone"), "max_pool_size": 10},
        "cache": {"enabled": True, "backend": "dogpile.cache.pymemcache", "memcache_servers": addresses.MEMCACHED},
        "token": {"provider": "fernet", "expiration": 7200},
        "fernet_tokens": {"key_repository": str(directory / "fernet-keys")},
        "fernet_receipts": {"key_repository": str(directory / "fernet-keys")},
        "credential": {"key_repository": str(directory / "credential-keys")},
        "oslo_policy": {"enforce_new_defaults": True, "enforce_scope": True},
    }


def manage(installation: Installation, *words: str, environment: dict[str, str] | None = None) -> None:
    """Run keystone-manage with this configuration."""
    path = installation.layout.service("keystone") / "keystone.conf"
    command: list[str | Path] = [installation.executable("keystone-manage"), "--config-file", path, *words]
    machine.run(command, timeout=120, environment=environment)


def start(installation: Installation) -> None:
    """Configure, migrate, make the keys, start, bootstrap."""
    directory = installation.layout.service("keystone")
    path = directory / "keystone.conf"
    machine.write(path, ini.render(configuration(installation)), mode=0o600)
    keys = directory / "fernet-keys" / "0"
    if not keys.exists():
        for step in ("fernet_setup", "credential_setup"):
            manage(installation, step, "--keystone-user", "root", "--keystone-group", "root")
    installation.once("keystone-database", metadata.version("keystone"), lambda: manage(installation, "db_sync"))
    installation.once("keystone-bootstrap", addresses.KEYSTONE_URL, lambda: _bootstrap(installation))
    service = wsgi.Service(
        name="keystone",
        module="keystone.wsgi.api:application",
        port=addresses.KEYSTONE_PORT,
        processes=3,
        threads=2,
        # Keystone parses the server's arguments unless the location of its file is given.
        environment={"OS_KEYSTONE_CONFIG_DIR": str(directory), "OS_KEYSTONE_CONFIG_FILES": "keystone.conf"},
        arguments="",
        files=[path],
    )
    installation.control.apply(wsgi.program(installation, service))


def _bootstrap(installation: Installation) -> None:
    endpoint = addresses.KEYSTONE_URL
    manage(
        installation, "bootstrap", "--bootstrap-region-id", addresses.REGION,
        "--bootstrap-admin-url", endpoint, "--bootstrap-internal-url", endpoint, "--bootstrap-public-url", endpoint,
        environment={"OS_BOOTSTRAP_PASSWORD": installation.password("keystone-admin")},
    )  # fmt: skip


def ready(_installation: Installation) -> bool:
    """Return whether the API answers."""
    return probes.answers(addresses.KEYSTONE_URL)


COMPONENT = Component(
    name="keystone",
    summary="identity: users, projects, roles",
    needs=("mariadb", "memcached", "tls"),
    start=start,
    ready=ready,
)
