# SPDX-License-Identifier: Apache-2.0
"""The exec-credential helper of kubectl: ``hypernetes-kube-login`` prints a token from Keystone.

It keeps the token until shortly before it expires. A token can end earlier: when the password changes, or when the
token, the application credential or the user is deleted. Such a token is noticed in three ways: it is not used with
another password than it was issued for; Keystone is asked about one that was not checked for a minute; and if the
same kubectl asks twice, the apiserver has refused the first, since kubectl keeps a token and asks again after a 401.

Nothing secret is ever an argument. Exit status: 0 with an ``ExecCredential`` on standard output; 1 with one line of
cause and remedy on standard error.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from datetime import timedelta
from datetime import UTC
from pathlib import Path
from typing import Any

from hypernetes.login import cache
from hypernetes.login import environment as environments
from hypernetes.login import keystone
from hypernetes.login.environment import LoginFailed

API_VERSION = "client.authentication.k8s.io/v1"

RENEW_BEFORE = timedelta(minutes=5)
"""A token is not used in its last minutes: a long kubectl command should outlive no token."""

CHECK_AFTER = timedelta(minutes=1)
"""Age from which Keystone is asked whether the token is still valid."""

KEEP_FOR = timedelta(seconds=10)
"""Time in which a kubectl that is refused again gets no further token, so that it cannot flood Keystone."""

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
  OS_CACERT                         CA bundle for verifying Keystone's certificate

example:
  hypernetes-kube-login | python3 -m json.tool
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the helper and return its exit status."""
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
    """Return what kubectl reads; it asks again when the timestamp has passed."""
    renew_at = (expires_at - RENEW_BEFORE).astimezone(UTC)
    return {
        "apiVersion": API_VERSION,
        "kind": "ExecCredential",
        "status": {"token": token, "expirationTimestamp": renew_at.strftime("%Y-%m-%dT%H:%M:%SZ")},
    }


def credential(
    environment: Mapping[str, str], *, use_cache: bool = True, now: datetime | None = None
) -> tuple[str, datetime]:
    """Return a token and when it expires, from the cache or from Keystone.

    :raises LoginFailed: when the environment does not say how to log in, or Keystone refuses or is unavailable.
    """
    now = now or datetime.now(UTC)
    url, ca_file = environments.auth_url(environment), environment.get("OS_CACERT") or None
    request = environments.auth_request(environment)
    secret = environments.secret_of(request)
    path, reader = cache.path_for(environment), _kubectl(environment)
    entry = cache.read(path) if use_cache else None
    if entry is not None and entry.is_for(secret) and not _is_outdated(entry, reader, now):
        if now - entry.checked_at < CHECK_AFTER:
            usable: cache.Entry | None = entry
        else:
            usable = None if keystone.is_refused(url, entry.token, ca_file) else replace(entry, checked_at=now)
        if usable is not None:
            if (given := usable.given_to(reader)) != entry:
                cache.write(path, given)
            return usable.token, usable.expires_at
    token, expires_at = keystone.issue_token(url, request, ca_file)
    cache.write(path, cache.Entry.create(token, expires_at, now, secret, reader))
    return token, expires_at


def _is_outdated(entry: cache.Entry, reader: str | None, now: datetime) -> bool:
    """Return whether the token is about to expire, or was refused to the kubectl that asks now."""
    if entry.expires_at - RENEW_BEFORE <= now or entry.checked_at > now:
        return True
    is_refused = reader is not None and reader in entry.readers
    return is_refused and not (reader == entry.issued_for and now - entry.checked_at < KEEP_FOR)


def _kubectl(environment: Mapping[str, str]) -> str | None:
    """Return what identifies the kubectl that runs this helper, or None if none does."""
    if not environment.get("KUBERNETES_EXEC_INFO"):
        return None
    process = os.getppid()
    try:
        # Field 22 of proc(5); the command before it may hold spaces and parentheses.
        started = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError, ValueError):
        started = ""
    return f"{process}:{started}"


def _check_kubectl(environment: Mapping[str, str]) -> None:
    """Check the version of the interface that kubectl speaks; an older one has another form."""
    text = environment.get("KUBERNETES_EXEC_INFO")
    if not text:
        return
    try:
        version = json.loads(text).get("apiVersion")
    except (ValueError, AttributeError):
        raise LoginFailed("KUBERNETES_EXEC_INFO is not what kubectl writes; unset it") from None
    if version != API_VERSION:
        raise LoginFailed(f"the kubeconfig asks for {version}; write {API_VERSION} there")


if __name__ == "__main__":
    sys.exit(main())
