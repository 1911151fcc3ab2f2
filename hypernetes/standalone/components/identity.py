# SPDX-License-Identifier: Apache-2.0
"""The cloud's services in Keystone: service users with the least roles that serve, and the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml
from keystoneauth1 import exceptions
from keystoneauth1 import loading
from keystoneauth1 import session
from keystoneauth1.plugin import BaseAuthPlugin
from openstack import connection
from openstack.exceptions import SDKException
from openstack.identity.v3._proxy import Proxy

from hypernetes.standalone import addresses
from hypernetes.standalone import ini
from hypernetes.standalone import machine
from hypernetes.standalone.component import Component
from hypernetes.standalone.installation import Installation

DOMAIN = "default"
SERVICE_PROJECT = "service"


@dataclass(frozen=True, slots=True)
class ServiceUser:
    """A service's account.

    ``project_roles`` hold in the project ``service``; ``domain_roles`` on the domain Default.
    """

    name: str
    project_roles: tuple[str, ...] = ("service",)
    domain_roles: tuple[str, ...] = ()


USERS = (
    ServiceUser("neutron"),
    # Validates tokens, nothing else: what API and webhook hold.
    ServiceUser("hypernetes-validator"),
    # Keystone's domain manager may grant member and reader in the domain's projects, and no higher role; Neutron
    # takes `service` for setting a port's host. This account is not an administrator of anything.
    ServiceUser("hypernetes", domain_roles=("manager",)),
)


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """A service in the catalog and its one address."""

    name: str
    type: str
    url: str
    description: str


CATALOG = (
    CatalogEntry("neutron", "network", addresses.NEUTRON_URL, "OpenStack Networking"),
    CatalogEntry("hypernetes", "kubernetes", addresses.API_URL, "Multi-tenant Kubernetes"),
)


def token_middleware(installation: Installation, user: str) -> dict[str, ini.Value]:
    """The ``[keystone_authtoken]`` options of a service that validates tokens as ``user``."""
    return {
        **credentials(installation, user),
        "www_authenticate_uri": addresses.KEYSTONE_URL,
        "memcached_servers": addresses.MEMCACHED,
        "memcache_security_strategy": "ENCRYPT",
        "memcache_secret_key": installation.password("memcached"),
        "service_token_roles": "service",
        "service_token_roles_required": True,
        "region_name": addresses.REGION,
    }


def credentials(installation: Installation, user: str) -> dict[str, ini.Value]:
    """keystoneauth's password options of a service user, scoped to the project ``service``."""
    return {
        "auth_type": "password",
        "auth_url": addresses.KEYSTONE_URL,
        "username": user,
        "password": installation.password(f"keystone-{user}"),
        "user_domain_id": DOMAIN,
        "project_name": SERVICE_PROJECT,
        "project_domain_id": DOMAIN,
    }


def cloud(
    installation: Installation, user: str, *, project: str | None = None, domain: str | None = None
) -> connection.Connection:
    """A connection of a user, scoped to a project by name or to a domain by id."""
    scope = {"domain_id": domain} if domain else {"project_name": project, "project_domain_id": DOMAIN}
    plugin: BaseAuthPlugin = loading.get_plugin_loader("password").load_from_options(
        auth_url=addresses.KEYSTONE_URL,
        username=user,
        password=installation.password(f"keystone-{user}"),
        user_domain_id=DOMAIN,
        **scope,
    )
    return connection.Connection(session=_session(installation, plugin), region_name=addresses.REGION, api_timeout=60)


def administrator(installation: Installation) -> connection.Connection:
    """The bootstrap administrator, scoped to its project."""
    return cloud(installation, "admin", project="admin")


def keystone(cloud: connection.Connection) -> Proxy:
    """Keystone's third API, which openstacksdk's types leave open."""
    return cast(Proxy, cloud.identity)


def _session(installation: Installation, plugin: BaseAuthPlugin) -> session.Session:
    return session.Session(auth=plugin, verify=str(installation.layout.ca_certificate), timeout=60)


def ensure_user(admin: connection.Connection, name: str, password: str) -> str:
    """A user of the domain Default with this password; its id."""
    user = next(iter(keystone(admin).users(name=name, domain_id=DOMAIN)), None)
    if user is None:
        user = keystone(admin).create_user(name=name, domain_id=DOMAIN, password=password)
    return str(user.id)


def ensure_project(admin: connection.Connection, name: str, description: str) -> str:
    """A project of the domain Default; its id."""
    project = keystone(admin).find_project(name, domain_id=DOMAIN)
    if project is None:
        project = keystone(admin).create_project(name=name, domain_id=DOMAIN, description=description)
    return str(project.id)


def grant(
    admin: connection.Connection, user: str, role: str, *, project: str | None = None, domain: str | None = None
) -> None:
    """Give a user (id) a role (name) in a project or on a domain (ids); nothing happens when it has it."""
    found = keystone(admin).find_role(role, ignore_missing=False)
    if domain:
        keystone(admin).assign_domain_role_to_user(domain, user, found)
    if project:
        keystone(admin).assign_project_role_to_user(project, user, found)


def start(installation: Installation) -> None:
    """Make service users, their roles and the catalog."""
    register(installation, "identity", USERS, CATALOG)
    write_clouds(installation, {"admin": "admin"})


def register(
    installation: Installation, step: str, users: Sequence[ServiceUser], catalog: Sequence[CatalogEntry]
) -> None:
    """Make the accounts and the catalog's entries of services.

    :param step: the name by which the installation remembers that it was done.
    """
    passwords = {user.name: installation.password(f"keystone-{user.name}") for user in users}
    installation.once(step, [users, catalog, sorted(passwords)], lambda: _fill(installation, users, catalog))


def _fill(installation: Installation, users: Sequence[ServiceUser], catalog: Sequence[CatalogEntry]) -> None:
    admin = administrator(installation)
    project = ensure_project(admin, SERVICE_PROJECT, "Accounts of services")
    for user in users:
        user_id = ensure_user(admin, user.name, installation.password(f"keystone-{user.name}"))
        for role in user.project_roles:
            grant(admin, user_id, role, project=project)
        for role in user.domain_roles:
            grant(admin, user_id, role, domain=DOMAIN)
    for entry in catalog:
        service = keystone(admin).find_service(entry.name) or keystone(admin).create_service(
            name=entry.name, type=entry.type, description=entry.description
        )
        for interface in ("public", "internal", "admin"):
            where = {"service_id": service.id, "interface": interface, "region_id": addresses.REGION}
            if not list(keystone(admin).endpoints(**where)):
                keystone(admin).create_endpoint(url=entry.url, **where)


def write_clouds(installation: Installation, users: dict[str, str]) -> Path:
    """Add users (name → project) to ``clouds.yaml``, the file ``quickstart env`` points the clients at."""
    path = installation.layout.clients / "clouds.yaml"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    clouds = yaml.safe_load(path.read_text())["clouds"] if path.exists() else {}
    for user, project in users.items():
        clouds[user] = {
            "auth": {
                "auth_url": addresses.KEYSTONE_URL,
                "username": user,
                "password": installation.password(f"keystone-{user}"),
                "user_domain_id": DOMAIN,
                "project_name": project,
                "project_domain_id": DOMAIN,
            },
            "region_name": addresses.REGION,
            "identity_api_version": "3",
            "cacert": str(installation.layout.ca_certificate),
        }
    machine.write(path, yaml.safe_dump({"clouds": clouds}), mode=0o600)
    return path


def gets_token(installation: Installation, user: str, project: str) -> bool:
    """Return whether Keystone gives this user a token of the project now."""
    try:
        cloud(installation, user, project=project).authorize()
    except (exceptions.ClientException, SDKException, OSError):
        return False
    return True


def ready(installation: Installation) -> bool:
    """Return whether Hypernetes' own service user gets a token."""
    return gets_token(installation, "hypernetes", SERVICE_PROJECT)


COMPONENT = Component(
    name="identity", summary="service users, roles, catalog", needs=("keystone",), start=start, ready=ready
)
