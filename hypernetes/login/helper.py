# SPDX-License-Identifier: Apache-2.0
"""The exec-credential helper of kubectl: ``hypernetes-kube-login`` prints a token from Keystone.

It imports the standard library only, because it runs for each kubectl command, and keeps its token in a file that
only the user may read until shortly before it expires. What it authenticates with comes from the environment, the
``OS_*`` variables every OpenStack client reads; nothing secret is ever an argument.

Exit status: 0 with an ``ExecCredential`` on standard output; 1 with one line of cause and remedy on standard error.
"""

import contextlib
import hashlib
import json
import os
import random
import stat
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import datetime
from datetime import timedelta
from datetime import UTC
from pathlib import Path
from typing import Any

API_VERSION = "client.authentication.k8s.io/v1"

TIMEOUT_SECONDS = 20.0
ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 0.5

RENEW_BEFORE = timedelta(minutes=5)
"""A token is not used in its last minutes: a long kubectl command should outlive no token."""

MAX_ANSWER = 1024 * 1024
"""Bytes of an answer of Keystone's that are read at most."""

USAGE = f"""usage: hypernetes-kube-login [--no-cache]

Prints an ExecCredential ({API_VERSION}) with a token from Keystone. kubectl runs it; `openstack kube config` writes
the kubeconfig that says so. It reads the environment:

  OS_AUTH_URL                       Keystone
  OS_APPLICATION_CREDENTIAL_ID, OS_APPLICATION_CREDENTIAL_SECRET
                                    an application credential (or _NAME with the user's variables below)
  OS_USERNAME or OS_USER_ID, OS_PASSWORD, OS_USER_DOMAIN_NAME or OS_USER_DOMAIN_ID,
  OS_PROJECT_NAME or OS_PROJECT_ID, OS_PROJECT_DOMAIN_NAME or OS_PROJECT_DOMAIN_ID
                                    a user and the project to act in
  OS_TOKEN                          a token, exchanged for one of OS_PROJECT_* where that is set
  OS_CACERT                         file with the authority of Keystone's certificate

example:
  hypernetes-kube-login | python3 -m json.tool
"""


class LoginFailed(Exception):
    """No token can be had; the text names cause and remedy and holds nothing secret."""


class _Temporary(Exception):
    """Keystone did not answer or was overloaded; a later attempt may succeed."""


def main(arguments: list[str] | None = None) -> int:
    """Run the helper; the result is its exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    if words in (["--help"], ["-h"]):
        sys.stdout.write(USAGE)
        return 0
    if words not in ([], ["--no-cache"]):
        sys.stderr.write(f"hypernetes-kube-login: unknown argument; see --help\n{USAGE}")
        return 2
    try:
        _check_kubectl(os.environ)
        token, expires_at = credential(os.environ, use_cache=not words)
    except LoginFailed as error:
        sys.stderr.write(f"hypernetes-kube-login: {error}\n")
        return 1
    json.dump(exec_credential(token, expires_at), sys.stdout)
    sys.stdout.write("\n")
    return 0


def exec_credential(token: str, expires_at: datetime) -> dict[str, Any]:
    """What kubectl reads; it asks again when the time has come."""
    renew_at = (expires_at - RENEW_BEFORE).astimezone(UTC)
    return {
        "apiVersion": API_VERSION,
        "kind": "ExecCredential",
        "status": {"token": token, "expirationTimestamp": renew_at.strftime("%Y-%m-%dT%H:%M:%SZ")},
    }


def credential(environment: Mapping[str, str], *, use_cache: bool = True) -> tuple[str, datetime]:
    """A token and the time it expires, from the cache or from Keystone.

    :raises LoginFailed: the environment does not say how to log in, or Keystone refuses or does not answer.
    """
    url = _auth_url(environment)
    request = auth_request(environment)
    path = cache_path(environment)
    if use_cache:
        cached = read_cache(path)
        if cached is not None:
            return cached
    token, expires_at = _fetch(url, request, environment.get("OS_CACERT") or None)
    # A machine whose home cannot be written still gets its token.
    with contextlib.suppress(OSError):
        write_cache(path, token, expires_at)
    return token, expires_at


def auth_request(environment: Mapping[str, str]) -> dict[str, Any]:
    """The body for ``POST /v3/auth/tokens``: application credential before token before password.

    :raises LoginFailed: variables are missing; the text names them.
    """
    get = environment.get
    if get("OS_APPLICATION_CREDENTIAL_ID") or get("OS_APPLICATION_CREDENTIAL_NAME"):
        secret = _needed(environment, "OS_APPLICATION_CREDENTIAL_SECRET")
        identifier = get("OS_APPLICATION_CREDENTIAL_ID")
        named: dict[str, Any] = {"id": identifier} if identifier else {
            "name": get("OS_APPLICATION_CREDENTIAL_NAME"), "user": _user(environment)
        }  # fmt: skip
        # An application credential knows its project; Keystone refuses a scope beside it.
        return _auth("application_credential", {**named, "secret": secret}, None)
    if get("OS_TOKEN"):
        return _auth("token", {"id": get("OS_TOKEN")}, _scope(environment))
    scope = _scope(environment)
    if scope is None:
        raise LoginFailed("OS_PROJECT_ID or OS_PROJECT_NAME is missing; set it to the project to act in")
    user = {**_user(environment), "password": _needed(environment, "OS_PASSWORD")}
    return _auth("password", {"user": user}, scope)


def _auth(method: str, details: dict[str, Any], scope: dict[str, Any] | None) -> dict[str, Any]:
    auth: dict[str, Any] = {"identity": {"methods": [method], method: details}}
    if scope is not None:
        auth["scope"] = scope
    return {"auth": auth}


def _user(environment: Mapping[str, str]) -> dict[str, Any]:
    if environment.get("OS_USER_ID"):
        return {"id": environment["OS_USER_ID"]}
    return {"name": _needed(environment, "OS_USERNAME"), "domain": _domain(environment, "USER")}


def _scope(environment: Mapping[str, str]) -> dict[str, Any] | None:
    if environment.get("OS_PROJECT_ID"):
        return {"project": {"id": environment["OS_PROJECT_ID"]}}
    if environment.get("OS_PROJECT_NAME"):
        return {"project": {"name": environment["OS_PROJECT_NAME"], "domain": _domain(environment, "PROJECT")}}
    return None


def _domain(environment: Mapping[str, str], of: str) -> dict[str, str]:
    for kind in ("ID", "NAME"):
        value = environment.get(f"OS_{of}_DOMAIN_{kind}") or environment.get(f"OS_DEFAULT_DOMAIN_{kind}")
        if value:
            return {kind.lower(): value}
    raise LoginFailed(f"OS_{of}_DOMAIN_ID or OS_{of}_DOMAIN_NAME is missing; set it")


def _needed(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        raise LoginFailed(f"{name} is missing; set it, or write a kubeconfig with `openstack kube config`")
    return value


def _auth_url(environment: Mapping[str, str]) -> str:
    url = _needed(environment, "OS_AUTH_URL").rstrip("/")
    if not url.startswith(("https://", "http://")):
        raise LoginFailed("OS_AUTH_URL is not an http or https URL")
    return url if url.endswith("/v3") else f"{url}/v3"


def _check_kubectl(environment: Mapping[str, str]) -> None:
    """kubectl says which version of the interface it speaks; an old one would not understand us."""
    text = environment.get("KUBERNETES_EXEC_INFO")
    if not text:
        return
    try:
        version = json.loads(text).get("apiVersion")
    except (ValueError, AttributeError):
        raise LoginFailed("KUBERNETES_EXEC_INFO is not what kubectl writes; unset it") from None
    if version != API_VERSION:
        raise LoginFailed(f"the kubeconfig asks for {version}; write {API_VERSION} there")


# ---- Keystone -------------------------------------------------------------------------------------------


def _fetch(url: str, request: Mapping[str, Any], authority: str | None) -> tuple[str, datetime]:
    pause = FIRST_PAUSE_SECONDS
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _post(f"{url}/auth/tokens?nocatalog", json.dumps(request).encode(), authority)
        except _Temporary as error:
            if attempt == ATTEMPTS:
                raise LoginFailed(f"Keystone does not answer at {url} ({error}); try again later") from error
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret
            pause *= 2
    raise AssertionError("the last attempt returns or raises")


def _post(url: str, body: bytes, authority: str | None) -> tuple[str, datetime]:
    # Imported late: most runs find their token in the cache and need no network.
    import ssl
    import urllib.error
    import urllib.request

    try:
        context = ssl.create_default_context(cafile=authority) if url.startswith("https:") else None
    except (OSError, ssl.SSLError) as error:
        raise LoginFailed(f"OS_CACERT cannot be used: {error}") from error
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    asked = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - checked: http(s)
    try:
        with urllib.request.urlopen(asked, timeout=TIMEOUT_SECONDS, context=context) as answer:  # noqa: S310
            return _read(answer.headers.get("X-Subject-Token"), answer.read(MAX_ANSWER))
    except urllib.error.HTTPError as error:
        status = error.code
        error.close()
        if status in (429, 500, 502, 503, 504):
            raise _Temporary(f"status {status}") from None
        if status == 401:
            raise LoginFailed(
                "Keystone refuses the credential (401); it is wrong, was deleted or has expired. "
                "Run `openstack kube config` again"
            ) from None
        raise LoginFailed(f"Keystone answered {status} at {url}; check OS_AUTH_URL and the variables") from None
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise LoginFailed("Keystone's certificate is not trusted; set OS_CACERT to its authority's file") from None
        raise _Temporary(str(reason)) from None


def _read(token: str | None, body: bytes) -> tuple[str, datetime]:
    try:
        expires_at = _moment(json.loads(body)["token"]["expires_at"])
    except (ValueError, KeyError, TypeError):
        raise LoginFailed("what answers at OS_AUTH_URL is not Keystone; check the URL") from None
    if not token:
        raise LoginFailed("Keystone's answer holds no token; check OS_AUTH_URL")
    return token, expires_at


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


# ---- the cache ------------------------------------------------------------------------------------------


def cache_path(environment: Mapping[str, str]) -> Path:
    """One file per Keystone and identity; its name is a digest and tells neither.

    Passwords and secrets are left out of the digest: a file's name must not help to guess them.

    :raises LoginFailed: the environment does not say how to log in.
    """
    url, request = _auth_url(environment), auth_request(environment)
    base = environment.get("XDG_CACHE_HOME") or str(Path(environment.get("HOME") or "~").expanduser() / ".cache")
    digest = hashlib.sha256(json.dumps([url, _without_secrets(request)], sort_keys=True).encode()).hexdigest()
    return Path(base) / "hypernetes" / f"{digest[:32]}.json"


def _without_secrets(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {key: _without_secrets(inside) for key, inside in value.items() if key not in ("password", "secret")}


def read_cache(path: Path, now: datetime | None = None) -> tuple[str, datetime] | None:
    """The cached token, unless it is about to expire or others could have read or written the file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor) as file:
            facts = os.fstat(descriptor)
            if facts.st_uid != os.getuid() or stat.S_IMODE(facts.st_mode) & 0o077:
                return None
            entry = json.load(file)
        token, expires_at = entry["token"], _moment(entry["expires_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not isinstance(token, str) or expires_at - RENEW_BEFORE <= (now or datetime.now(UTC)):
        return None
    return token, expires_at


def write_cache(path: Path, token: str, expires_at: datetime) -> None:
    """Keep a token, readable by the user alone; the file appears at once or not at all.

    :raises OSError: it cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp makes the file 0600.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump({"token": token, "expires_at": expires_at.isoformat()}, file)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


if __name__ == "__main__":
    sys.exit(main())
