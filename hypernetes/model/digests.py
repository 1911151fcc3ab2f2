# SPDX-License-Identifier: Apache-2.0
"""Digests of the secrets of nodes: agents send the digest of their token, and the API stores digests only."""

import hashlib


def secret_digest(secret: str) -> str:
    """Return the SHA-256 of a secret in hexadecimal.

    The secrets are 256 random bits, which need neither a salt nor a slow hash.
    """
    return hashlib.sha256(secret.encode()).hexdigest()
