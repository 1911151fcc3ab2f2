# SPDX-License-Identifier: Apache-2.0
"""The Keystone projects ``red`` and ``blue`` with a user each."""

from __future__ import annotations

from hypernetes.standalone.component import Component
from hypernetes.standalone.components import identity
from hypernetes.standalone.installation import Installation

TENANTS = ("red", "blue")
# Generous for a demonstration and for tests, and still a limit.
NETWORK_QUOTA = {
    "networks": 50,
    "subnets": 50,
    "ports": 500,
    "routers": 10,
    "security_groups": 100,
    "security_group_rules": 1000,
    "subnet_pools": 10,
}


def start(installation: Installation) -> None:
    """Make projects, users, roles and quotas; write the users into clouds.yaml."""
    passwords = [installation.password(f"keystone-{name}") for name in TENANTS]
    installation.once("tenants", [TENANTS, NETWORK_QUOTA, len(passwords)], lambda: _fill(installation))
    identity.write_clouds(installation, {name: name for name in TENANTS})


def _fill(installation: Installation) -> None:
    admin = identity.administrator(installation)
    for name in TENANTS:
        project = identity.ensure_project(admin, name, f"Tenant {name} of the demonstration")
        user = identity.ensure_user(admin, name, installation.password(f"keystone-{name}"))
        identity.grant(admin, user, "member", project=project)
        admin.network.update_quota(project, **NETWORK_QUOTA)


def ready(installation: Installation) -> bool:
    """Return whether both users get a token."""
    return all(identity.gets_token(installation, name, name) for name in TENANTS)


COMPONENT = Component(
    name="tenants", summary="projects red and blue with a user each", needs=("identity", "neutron"), start=start,
    ready=ready,
)  # fmt: skip
