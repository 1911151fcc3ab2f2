# SPDX-License-Identifier: Apache-2.0
"""Errors of the SDK as errors of ours, in one place."""

import contextlib
from collections.abc import Iterator
from typing import Any
from typing import ClassVar

import requests
from keystoneauth1 import exceptions as auth_exceptions
from openstack import exceptions

from hypernetes.model import errors

_QUOTA_TYPES = frozenset({"OverQuota", "SubnetPoolQuotaExceeded", "InvalidQuotaValue"})

_POLICY_TYPE = "PolicyNotAuthorized"

# Neutron answers these with 500, though a retry will not change them: no such prefix is free in the subnet pool.
_REFUSED_TYPES = frozenset({"SubnetAllocationError"})

_MAX_REASON = 500


class NotAMember(errors.Unavailable):
    """The service user has (no longer) the role it needs in the project; it may grant it to itself again."""

    code: ClassVar[str] = "hypernetes.backend.not_a_member"


@contextlib.contextmanager
def translated(service: str) -> Iterator[None]:
    """Raise what goes wrong inside as an error of :mod:`hypernetes.model.errors`.

    Quota is told apart by Neutron's error type, since its status (409) also means a conflict.

    :param service: name of the service, for people.
    :raises errors.QuotaExceeded: for want of quota.
    :raises NotAMember: the service user's token is refused: 401, no token for the project, or Neutron's policy says no.
    :raises errors.Refused: any other 4xx; repeating it unchanged is useless.
    :raises errors.Unavailable: no or no proper answer; it may be repeated.
    """
    try:
        yield
    except exceptions.HttpException as error:
        raise _of_status(service, error.response, error.status_code, error.details or error.message) from error
    except auth_exceptions.Unauthorized as error:
        raise NotAMember(service=service, reason="the service user was not accepted for the project") from error
    except auth_exceptions.HttpError as error:
        raise _of_status(service, error.response, error.http_status, error.details or error.message) from error
    except (auth_exceptions.ClientException, exceptions.SDKException, requests.RequestException) as error:
        # Connection errors carry URLs at most; the class says enough.
        raise errors.Unavailable(service=service, reason=type(error).__name__) from error


def _of_status(service: str, response: Any, status: int | None, text: object) -> errors.HypernetesError:
    kind, reason = _explain(response, text)
    if status == requests.codes.unauthorized:
        return NotAMember(service=service, reason="the service user's token was not accepted")
    if kind == _POLICY_TYPE:
        # Ours to mend, not the tenant's. It also happens once to a first request: oslo.policy is not ready yet.
        return NotAMember(service=service, reason=reason)
    if kind in _QUOTA_TYPES or (status == requests.codes.request_entity_too_large):
        return errors.QuotaExceeded(reason=reason)
    if kind in _REFUSED_TYPES:
        return errors.Refused(service=service, reason=reason)
    if status is None or status >= 500 or status in (requests.codes.request_timeout, requests.codes.too_many_requests):
        return errors.Unavailable(service=service, reason=f"it answered {status}: {reason}")
    return errors.Refused(service=service, reason=reason)


def _explain(response: Any, text: object) -> tuple[str, str]:
    """Neutron's (or Keystone's) error type and message."""
    try:
        body = response.json()
    except (AttributeError, ValueError):
        body = None
    if isinstance(body, dict):
        for value in body.values():
            if isinstance(value, dict) and "message" in value:
                return str(value.get("type", "")), _sentence(value["message"])
    return "", _sentence(text)


def _sentence(text: object) -> str:
    """Without a final stop, since our templates end with one, and of bearable length."""
    return str(text or "no reason was given").strip().rstrip(".")[:_MAX_REASON]
