# SPDX-License-Identifier: Apache-2.0
"""The two requests to Keystone: issue a token, and ask whether one is still valid."""

import json
import random
import time
from collections.abc import Mapping
from datetime import datetime
from datetime import UTC
from typing import Any

from hypernetes.login.environment import LoginFailed

TIMEOUT_SECONDS = 20.0
ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 0.5

VALIDATION_TIMEOUT_SECONDS = 5.0
"""Short, because the answer only saves a refused request."""

MAX_RESPONSE = 1024 * 1024
"""Largest part of Keystone's response that is read, in bytes."""

_REFUSED = frozenset({401, 404})
_OVERLOADED = frozenset({429, 500, 502, 503, 504})


class _Temporary(Exception):
    """Keystone did not respond or was overloaded; a later attempt may succeed."""


def issue_token(url: str, request: Mapping[str, Any], ca_file: str | None) -> tuple[str, datetime]:
    """Log in; retry while Keystone is temporarily unavailable.

    :param url: Keystone's version 3.
    :param request: body of ``POST /auth/tokens``.
    :param ca_file: CA bundle; None for the system's.
    :returns: the token and when it expires.
    :raises LoginFailed: when Keystone refuses or remains unavailable.
    """
    pause = FIRST_PAUSE_SECONDS
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _post(f"{url}/auth/tokens?nocatalog", json.dumps(request).encode(), ca_file)
        except _Temporary as error:
            if attempt == ATTEMPTS:
                raise LoginFailed(f"Keystone at {url} is temporarily unavailable ({error}); try again later") from error
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret
            pause *= 2
    raise AssertionError("the last attempt returns or raises")


def is_refused(url: str, token: str, ca_file: str | None) -> bool:
    """Return whether Keystone says that it no longer accepts a token; false if it does not respond.

    :raises LoginFailed: when the CA bundle cannot be used, or Keystone's certificate is not trusted.
    """
    headers = {
        "X-Auth-Token": token,
        "X-Subject-Token": token,
        # Without it Keystone hides tokens whose application credential has access rules; see its API reference.
        "OpenStack-Identity-Access-Rules": "1.0",
    }
    # GET and not HEAD: of all requests to Keystone access rules always allow this one (keystonemiddleware).
    try:
        _send("GET", f"{url}/auth/tokens?nocatalog", headers, None, ca_file, VALIDATION_TIMEOUT_SECONDS)
    except _HttpStatus as status:
        return status.code in _REFUSED
    except _Temporary:
        return False
    return False


class _HttpStatus(Exception):
    """Keystone's response is an error."""

    def __init__(self, code: int) -> None:
        super().__init__(f"status {code}")
        self.code = code


def _post(url: str, body: bytes, ca_file: str | None) -> tuple[str, datetime]:
    headers = {"Content-Type": "application/json"}
    try:
        return _parse(*_send("POST", url, headers, body, ca_file, TIMEOUT_SECONDS))
    except _HttpStatus as status:
        if status.code in _OVERLOADED:
            raise _Temporary(str(status)) from None
        if status.code == 401:
            raise LoginFailed(
                "Keystone refused the credential (401): it is wrong, was deleted or has expired. "
                "Run `openstack kube config` again"
            ) from None
        raise LoginFailed(f"Keystone answered {status.code} at {url}; check OS_AUTH_URL and the variables") from None


def _send(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None, ca_file: str | None, timeout: float
) -> tuple[str | None, bytes]:
    # Imported late: most runs find their token in the cache and need no network.
    import ssl
    import urllib.error
    import urllib.request

    try:
        context = ssl.create_default_context(cafile=ca_file) if url.startswith("https:") else None
    except (OSError, ssl.SSLError) as error:
        raise LoginFailed(f"OS_CACERT cannot be used: {error}") from error
    request = urllib.request.Request(  # noqa: S310 - checked: http(s)
        url, data=body, headers={"Accept": "application/json", **headers}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout, context=context) as response:  # noqa: S310
            return response.headers.get("X-Subject-Token"), response.read(MAX_RESPONSE)
    except urllib.error.HTTPError as error:
        status = error.code
        error.close()
        raise _HttpStatus(status) from None
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise LoginFailed("Keystone's certificate is not trusted; set OS_CACERT to the file of its CA") from None
        raise _Temporary(str(reason)) from None


def _parse(token: str | None, body: bytes) -> tuple[str, datetime]:
    try:
        expires_at = parse_timestamp(json.loads(body)["token"]["expires_at"])
    except (ValueError, KeyError, TypeError):
        raise LoginFailed("the service at OS_AUTH_URL is not Keystone; check the URL") from None
    if not token:
        raise LoginFailed("Keystone's response holds no token; check OS_AUTH_URL")
    return token, expires_at


def parse_timestamp(text: str) -> datetime:
    """Read a time as Keystone writes it; one without a zone is in UTC."""
    timestamp = datetime.fromisoformat(text)
    return timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)
