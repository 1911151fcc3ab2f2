# SPDX-License-Identifier: Apache-2.0
"""Keeps tokens, one file per Keystone and identity, which only the user can read."""

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from typing import Self

from hypernetes.login import environment as environments
from hypernetes.login import keystone

MOST_READERS = 8
"""How many kubectl processes are remembered."""

_ROUNDS = 5000
"""Of PBKDF2; each run spends them, so they are few. Only the user can read the file, which holds a token besides."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A token and what is known of it."""

    token: str
    expires_at: datetime
    checked_at: datetime
    """When Keystone issued it or last said that it is valid."""
    salt: str
    secret_digest: str
    """Of the password or secret that the token was issued for."""
    issued_for: str | None = None
    """The kubectl process that asked for it first."""
    readers: tuple[str, ...] = ()
    """The kubectl processes that were given it, the latest last."""

    @classmethod
    def create(cls, token: str, expires_at: datetime, now: datetime, secret: str, reader: str | None) -> Self:
        """Return the entry of a token that was just issued."""
        salt = secrets.token_hex(16)
        entry = cls(token, expires_at, now, salt, _digest(secret, salt), issued_for=reader)
        return entry.given_to(reader)

    def is_for(self, secret: str) -> bool:
        """Return whether the token was issued for this password or secret."""
        return hmac.compare_digest(self.secret_digest, _digest(secret, self.salt))

    def given_to(self, reader: str | None) -> Self:
        """Return the entry with a further reader."""
        if reader is None or reader in self.readers:
            return self
        return replace(self, readers=(*self.readers, reader)[-MOST_READERS:])


def path_for(environment: Mapping[str, str]) -> Path:
    """Return the file of a Keystone and an identity; its name is a digest that reveals neither.

    Passwords and secrets do not enter the digest: the name of a file must not help to guess them.

    :raises LoginFailed: when the environment does not say how to log in.
    """
    url, request = environments.auth_url(environment), environments.auth_request(environment)
    base = environment.get("XDG_CACHE_HOME") or str(Path(environment.get("HOME") or "~").expanduser() / ".cache")
    digest = hashlib.sha256(json.dumps([url, _without_secrets(request)], sort_keys=True).encode()).hexdigest()
    return Path(base) / "hypernetes" / f"{digest[:32]}.json"


def read(path: Path) -> Entry | None:
    """Return the entry; None if there is none, or if another user could have read or written it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor) as file:
            facts = os.fstat(descriptor)
            if facts.st_uid != os.getuid() or stat.S_IMODE(facts.st_mode) & 0o077:
                return None
            return _parse(json.load(file))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(path: Path, entry: Entry) -> None:
    """Keep an entry: readable only by the user, and replaced atomically.

    A machine whose home cannot be written has no cache, and nothing else fails.
    """
    content = asdict(entry)
    content["expires_at"], content["checked_at"] = entry.expires_at.isoformat(), entry.checked_at.isoformat()
    temporary: str | None = None
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp makes the file 0600.
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file)
        Path(temporary).replace(path)
    except BaseException as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        if not isinstance(error, OSError):
            raise


def _parse(content: Any) -> Entry:
    entry = Entry(
        token=content["token"],
        expires_at=keystone.parse_timestamp(content["expires_at"]),
        checked_at=keystone.parse_timestamp(content["checked_at"]),
        salt=content["salt"],
        secret_digest=content["secret_digest"],
        issued_for=content["issued_for"],
        readers=tuple(content["readers"]),
    )
    texts = (entry.token, entry.salt, entry.secret_digest, *entry.readers)
    if not all(isinstance(text, str) and text.isascii() for text in texts):
        raise TypeError("the entry was not written by this module")
    return entry


def _digest(secret: str, salt: str) -> str:
    # As bytes of the environment, which may be no text in this locale.
    return hashlib.pbkdf2_hmac("sha256", os.fsencode(secret), salt.encode(), _ROUNDS).hex()


def _without_secrets(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    # The method "password" has the name of its secret: only a text is one.
    return {
        key: _without_secrets(inside)
        for key, inside in value.items()
        if not (key in ("password", "secret") and isinstance(inside, str))
    }
