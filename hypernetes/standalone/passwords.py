# SPDX-License-Identifier: Apache-2.0
"""Passwords made for this installation alone, kept in files of mode 0600."""

from __future__ import annotations

import base64
import hashlib
import secrets
from pathlib import Path

from hypernetes.standalone import machine


class Passwords:
    """The password of every account, made at its first use."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, account: str) -> Path:
        """The file that holds an account's password, without a newline; made when missing."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._directory / account
        if not path.exists():
            machine.write(path, secrets.token_urlsafe(24), mode=0o600)
        return path

    def __call__(self, account: str) -> str:
        """An account's password: letters, digits, ``-`` and ``_`` only, so it is safe in URLs and INI files."""
        return self.path(account).read_text()


def rabbitmq_hash(password: str, salt: bytes) -> str:
    """RabbitMQ's password hash: base64 of the 4-byte salt and SHA-256 of salt and password.

    Source: "Credentials and Passwords" in RabbitMQ's manual.
    """
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
