# SPDX-License-Identifier: Apache-2.0
"""Application credentials for kubectl: they allow a login to one cluster and nothing else."""

import argparse
import datetime
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from openstack import exceptions as sdk
from osc_lib import exceptions

from hypernetes.sdk import access

LONGEST_DAYS = 36500


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user chose for the credential."""

    roles: tuple[str, ...] = ()
    """Names; empty for all that the user has in the project."""
    days: int | None = None
    """Days until it expires; None if it does not."""


def days(text: str) -> int:
    """Read the argument of ``--expires-in``.

    :raises argparse.ArgumentTypeError: when it is not a number of days in the range.
    """
    if re.fullmatch("[0-9]{1,5}", text) and 1 <= int(text) <= LONGEST_DAYS:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be a whole number of days from 1 to {LONGEST_DAYS}")


def require_roles(wishes: Wishes, held: Iterable[str] | None) -> None:
    """Check the roles before Keystone is asked for anything.

    :param held: the roles of the login in its project; None if they are not known.
    :raises exceptions.CommandError: when the login lacks one of them.
    """
    if held is None:
        return
    own = tuple(held)
    # Keystone compares names of roles without regard to case, as its database does.
    missing = [role for role in wishes.roles if role.casefold() not in {name.casefold() for name in own}]
    if missing:
        raise exceptions.CommandError(
            f"you do not have the role {', '.join(map(repr, missing))} in this project; choose from: {', '.join(own)}"
        )


def create(connection: Any, cluster: Any, wishes: Wishes) -> Any:
    """Create an application credential that opens one cluster.

    :raises exceptions.CommandError: when Keystone refuses.
    """
    attributes: dict[str, Any] = {}
    if wishes.roles:
        attributes["roles"] = [{"name": role} for role in wishes.roles]
    if wishes.days is not None:
        expiry = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=wishes.days)
        attributes["expires_at"] = expiry.strftime("%Y-%m-%dT%H:%M:%S")
    try:
        return connection.identity.create_application_credential(
            connection.current_user_id,
            f"kubectl-{cluster.name}-{secrets.token_hex(4)}",
            description=f"Login of kubectl to the cluster {cluster.name}, created by openstack kube config",
            access_rules=access.rules(cluster.id),
            unrestricted=False,
            **attributes,
        )
    except sdk.ForbiddenException as error:
        raise exceptions.CommandError(
            "Keystone does not allow this login to create an application credential (a login by application "
            "credential cannot create another); log in with a password, or use --auth environment"
        ) from error
    except sdk.HttpException as error:
        raise exceptions.CommandError(
            f"Keystone refused to create an application credential: {error.details or error.message}"
        ) from error


def delete_unused(connection: Any, identifier: str | None) -> str:
    """Delete a credential whose secret could not be written, so that nothing can use it.

    :returns: what the user has to know about it; empty if nothing.
    """
    if identifier is None:
        return ""
    try:
        connection.identity.delete_application_credential(connection.current_user_id, identifier)
    except sdk.SDKException:
        return (
            ". The application credential created for it still exists: "
            f"openstack application credential delete {identifier}"
        )
    return ""
