# SPDX-License-Identifier: Apache-2.0
"""Clusters' client keys at rest, encrypted with keys that only conductors hold."""

import os
import stat
from pathlib import Path

from cryptography import fernet
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hypernetes.kubernetes.bootstrap import order_names
from hypernetes.model import errors


class KeyFileUnusable(Exception):
    """The key file is missing, empty, malformed or readable by others; the text says which."""


class KeyRing:
    """Encrypts and decrypts with the keys of ``[conductor] key_file``."""

    def __init__(self, keys: list[str]) -> None:
        try:
            self._ring = fernet.MultiFernet([fernet.Fernet(key) for key in keys])
        except ValueError as error:
            raise KeyFileUnusable(
                "the key file must hold one Fernet key (32 bytes in URL-safe base 64) a line"
            ) from error

    @classmethod
    def load(cls, path: str) -> "KeyRing":
        """Read the key file.

        :raises KeyFileUnusable: it cannot be used.
        """
        try:
            with Path(path).open(encoding="ascii") as file:
                mode = os.fstat(file.fileno()).st_mode
                keys = file.read().split()
        except (OSError, ValueError) as error:
            raise KeyFileUnusable(f"the key file {path} cannot be read: {error}") from error
        if mode & (stat.S_IRWXO | stat.S_IWGRP):
            raise KeyFileUnusable(f"the key file {path} is accessible to other users; set its mode to 0600 or 0640")
        if not keys:
            raise KeyFileUnusable(f"the key file {path} is empty")
        return cls(keys)

    def encrypt(self, pem: str) -> str:
        """Return what may be stored."""
        return self._ring.encrypt(pem.encode()).decode()

    def rotate(self, stored: str) -> str:
        """Return what was encrypted with any of the keys encrypted with the first one.

        :raises errors.Refused: it was encrypted with none of them.
        """
        return self.encrypt(self.decrypt(stored))

    def decrypt(self, stored: str) -> str:
        """Return what was encrypted with any of the keys.

        :raises errors.Refused: it was encrypted with none of them.
        """
        try:
            return self._ring.decrypt(stored.encode()).decode()
        except fernet.InvalidToken as error:
            reason = "no key of [conductor] key_file decrypts the cluster's client key"
            raise errors.Refused(service="The conductor", reason=reason) from error


def new_private_key() -> str:
    """Return a new private key (P-256) as unencrypted PEM, to be passed to :meth:`KeyRing.encrypt` at once."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def signing_request(private_key_pem: str) -> str:
    """Return a certificate signing request (PEM) for the conductor's own client certificate."""
    key = serialization.load_pem_private_key(private_key_pem.encode(), password=None)
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, order_names.CLIENT_ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, order_names.CLIENT_COMMON_NAME),
        ]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()  # type: ignore[arg-type]


def certifies(certificate_pem: str, private_key_pem: str) -> bool:
    """Tell whether the certificate is for the public half of the key."""
    key = serialization.load_pem_private_key(private_key_pem.encode(), password=None)
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    except ValueError:
        return False
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return certificate.public_key().public_bytes(*form) == key.public_key().public_bytes(*form)
