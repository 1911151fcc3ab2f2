# SPDX-License-Identifier: Apache-2.0
"""Translates the SDK's errors into those of :mod:`hypernetes.model.errors`."""

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
    """The service user lacks the role it needs in the project, or has lost it; it may grant it to itself again."""

    code: ClassVar[str] = "hypernetes.backend.not_a_member"


class ProjectGone(errors.Refused):
    """The project was deleted in Keystone: the service user can join it no more, and nothing in it can be deleted."""

    code: ClassVar[str] = "hypernetes.project.gone"
    template: ClassVar[str] = "The project {project} was deleted in Keystone."
    remedy: ClassVar[str] = "Its namespaces are deleted; ask the operator to delete what remains of it in Neutron."


@contextlib.contextmanager
def translated(service: str) -> Iterator[None]:
    """Raise the errors of the block as errors of :mod:`hypernetes.model.errors`.

    An exceeded quota is recognized by Neutron's error type, since its status (409) also means a conflict.

    :param service: name of the service, for messages.
    :raises errors.QuotaExceeded: when a quota is exceeded.
    :raises NotAMember: when the service user is refused: 401, no token for the project, or by Neutron's policy.
    :raises errors.Refused: when the service answers another 4xx; an unchanged retry cannot succeed.
    :raises errors.Unavailable: when the service does not answer, or not properly; the request may be retried.
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
        # To be fixed here, not by the tenant. A first request is also refused once, while oslo.policy loads its rules.
        return NotAMember(service=service, reason=reason)
    if kind in _QUOTA_TYPES or (status == requests.codes.request_entity_too_large):
        return errors.QuotaExceeded(reason=reason)
    if kind in _REFUSED_TYPES:
        return errors.Refused(service=service, reason=reason)
    if status is None or status >= 500 or status in (requests.codes.request_timeout, requests.codes.too_many_requests):
        return errors.Unavailable(service=service, reason=f"it answered {status}: {reason}")
    return errors.Refused(service=service, reason=reason)


def _explain(response: Any, text: object) -> tuple[str, str]:
    """Return Neutron's (or Keystone's) error type and message."""
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
    """Return the text without a final period, which the templates add, and at most 500 characters of it."""
    return str(text or "no reason was given").strip().rstrip(".")[:_MAX_REASON]
