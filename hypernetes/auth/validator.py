# SPDX-License-Identifier: Apache-2.0
"""Asks Keystone whether a token is valid and what it stands for."""

from collections.abc import Mapping
from typing import Any
from typing import cast
from typing import Protocol

from keystoneauth1 import exceptions
from keystoneauth1 import loading
from keystoneauth1 import plugin
from oslo_config import cfg

ACCESS_RULES_HEADER = {"OpenStack-Identity-Access-Rules": "1.0"}
"""Without it Keystone answers 404 for a token that was made with access rules: who does not know them cannot
enforce them. We do, in :mod:`hypernetes.auth.access_rules`."""

CONNECT_RETRIES = 1
_RETRIABLE = [502, 503, 504]

_KEYSTONE = {"service_type": "identity", "interface": plugin.AUTH_INTERFACE, "version": (3, 0)}
"""The Keystone we authenticate with, not what a catalog says."""


class KeystoneUnavailable(Exception):
    """Keystone gave no usable answer; nothing is known about the token."""


class Validator(Protocol):
    """What the webhook needs of Keystone."""

    def validate(self, token: str) -> Mapping[str, Any] | None:
        """Keystone's ``token`` object, or None if the token is unknown, expired or revoked.

        :raises KeystoneUnavailable: Keystone does not answer, or refuses us.
        """


class KeystoneValidator:
    """Validates with a service user whose only role lets it validate tokens."""

    def __init__(self, conf: cfg.ConfigOpts, group: str) -> None:
        """Load session and credentials from a configuration group; nothing is sent yet."""
        auth = loading.load_auth_from_conf_options(conf, group)
        self._session = loading.load_session_from_conf_options(conf, group, auth=auth)

    def validate(self, token: str) -> Mapping[str, Any] | None:
        """See :class:`Validator`."""
        try:
            response = self._session.get(
                "/auth/tokens?nocatalog",
                endpoint_filter=_KEYSTONE,
                headers={"X-Subject-Token": token, **ACCESS_RULES_HEADER},
                raise_exc=False,
                # keystoneauth's own log would hold names of people; tokens it hides by itself.
                log=False,
                connect_retries=CONNECT_RETRIES,
                status_code_retries=1,
                retriable_status_codes=_RETRIABLE,
            )
        except exceptions.ClientException as error:
            raise KeystoneUnavailable(type(error).__name__) from error
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            raise KeystoneUnavailable(f"Keystone answered {response.status_code}")
        try:
            return cast(Mapping[str, Any], response.json()["token"])
        except (ValueError, KeyError, TypeError):
            raise KeystoneUnavailable("Keystone's answer holds no token object") from None
