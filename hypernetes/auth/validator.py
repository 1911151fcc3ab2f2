# SPDX-License-Identifier: Apache-2.0
"""Validates tokens at Keystone."""

from collections.abc import Mapping
from typing import Any
from typing import cast
from typing import Protocol

from keystoneauth1 import exceptions
from keystoneauth1 import loading
from keystoneauth1 import plugin
from oslo_config import cfg

ACCESS_RULES_HEADER = {"OpenStack-Identity-Access-Rules": "1.0"}
"""Without it Keystone answers 404 for a token with access rules, since a service that does not know them cannot enforce
them. :mod:`hypernetes.auth.access_rules` enforces them."""

CONNECT_RETRIES = 1
_RETRIABLE = [502, 503, 504]

_KEYSTONE = {"service_type": "identity", "interface": plugin.AUTH_INTERFACE, "version": (3, 0)}
"""The Keystone at ``[webhook] auth_url``, not the catalog's."""


class KeystoneUnavailable(Exception):
    """Keystone did not answer properly; nothing is known about the token."""


class Validator(Protocol):
    """Validates tokens."""

    def validate(self, token: str) -> Mapping[str, Any] | None:
        """Return Keystone's ``token`` object, or None if the token is unknown, expired or revoked.

        :raises KeystoneUnavailable: when Keystone does not answer, or refuses the service user.
        """


class KeystoneValidator:
    """Validates with a service user whose only role lets it validate tokens."""

    def __init__(self, conf: cfg.ConfigOpts, group: str) -> None:
        """Load session and credentials from a configuration group, without I/O."""
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
                # keystoneauth would log the names of users; it hides tokens itself.
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
            raise KeystoneUnavailable("Keystone's response contains no token object") from None
