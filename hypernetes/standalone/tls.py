# SPDX-License-Identifier: Apache-2.0
"""The installation's own CAs and the certificates they issue."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import exceptions
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.oid import NameOID

from hypernetes.agent import certificates
from hypernetes.standalone import machine

LIFETIME = datetime.timedelta(days=365)
RENEW_BEFORE = datetime.timedelta(days=30)
# Clocks of nodes may be a little behind.
BACKDATE = datetime.timedelta(hours=1)


class CertificateAuthority:
    """Issues certificates into one directory; valid ones are left as they are."""

    def __init__(self, directory: Path, *, name: str = "Hypernetes standalone CA") -> None:
        self._name = name
        self._directory = directory
        self.certificate = directory / "ca.crt"
        self._key = directory / "ca.key"

    def ensure(self) -> None:
        """Create the CA's key and certificate unless they exist and are fresh."""
        if self._key.exists() and fresh(self.certificate):
            return
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(self._name)
        certificate = (
            _builder(name, name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(certificates.key_usage(certificate_authority=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        _write_pair(self.certificate, self._key, certificate, key, owner=None)

    def issue(
        self,
        name: str,
        *,
        addresses: Sequence[str] = (),
        common_name: str | None = None,
        owner: tuple[int, int] | None = None,
    ) -> tuple[Path, Path]:
        """Issue ``<name>.crt`` and ``<name>.key`` and return their paths.

        :param addresses: IP addresses the certificate is valid for as a server.
        :param common_name: what a chassis is known by to OVN's role-based access; the file's name by default.
        :param owner: user and group ids that may read the key; root by default.
        """
        certificate_path, key_path = self._directory / f"{name}.crt", self._directory / f"{name}.key"
        usable = key_path.exists() and fresh(certificate_path) and self._is_issued_here(certificate_path)
        if usable and _names(certificate_path) == set(addresses):
            return certificate_path, key_path
        ca = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        ca_key = serialization.load_pem_private_key(self._key.read_bytes(), None)
        if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
            raise machine.StandaloneError(f"{self._key} is not an elliptic curve key")
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(_name(common_name or name), ca.subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(certificates.key_usage(digital_signature=True), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        )
        if addresses:
            names = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        _write_pair(certificate_path, key_path, builder.sign(ca_key, hashes.SHA256()), key, owner=owner)
        return certificate_path, key_path

    def _is_issued_here(self, path: Path) -> bool:
        ca = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        try:
            x509.load_pem_x509_certificate(path.read_bytes()).verify_directly_issued_by(ca)
        except (ValueError, TypeError, exceptions.InvalidSignature):
            return False
        return True


def _names(path: Path) -> set[str]:
    """Return the addresses for which a certificate is valid."""
    extensions = x509.load_pem_x509_certificate(path.read_bytes()).extensions
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(address) for address in names.get_values_for_type(x509.IPAddress)}


def fresh(path: Path) -> bool:
    """Return whether the certificate exists and stays valid for longer than the renewal margin."""
    if not path.exists():
        return False
    end = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    return end - datetime.datetime.now(datetime.UTC) > RENEW_BEFORE


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + LIFETIME)
    )


def _write_pair(
    certificate_path: Path,
    key_path: Path,
    certificate: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    *,
    owner: tuple[int, int] | None,
) -> None:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    machine.write(key_path, pem.decode(), mode=0o600, owner=owner)
    machine.write(certificate_path, certificate.public_bytes(serialization.Encoding.PEM).decode())
