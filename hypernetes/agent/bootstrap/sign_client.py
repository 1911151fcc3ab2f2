# SPDX-License-Identifier: Apache-2.0
"""Phase ``sign-client``: the conductor's own client certificate, for a key that never comes here."""

import datetime
from collections.abc import Mapping

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import oid

from hypernetes.agent import bootstrap
from hypernetes.agent import certificates
from hypernetes.agent.host import node as nodes
from hypernetes.kubernetes.bootstrap import order_names

VALIDITY = datetime.timedelta(days=365)
_DIGITS = 12
CLOCK_TOLERANCE = datetime.timedelta(minutes=5)


def run(node: nodes.Node, inputs: Mapping[str, str]) -> bootstrap.Outputs:
    """Sign the CSR's key with the cluster's CA; return the certificate, the CA and the apiserver's address."""
    certificate_path, key_path = node.layout.ca_files
    try:
        ca_pem = certificate_path.read_bytes()
        key_pem = key_path.read_bytes()
    except FileNotFoundError as error:
        raise bootstrap.NodePhaseFailed(f"{error.filename} does not exist: run the phase certs first") from error
    csr = bootstrap.required(inputs, order_names.CSR_FILE)
    validity = _validity(inputs.get(order_names.VALIDITY_SECONDS))
    certificate = sign(csr.encode(), ca_pem, key_pem, datetime.datetime.now(datetime.UTC), validity)
    return {
        order_names.CLIENT_CERTIFICATE: certificate.decode(),
        order_names.CA_CERTIFICATE: ca_pem.decode(),
        order_names.API_ADDRESS: node.api_address,
    }


def _validity(seconds: str | None) -> datetime.timedelta:
    """Return what the order asks for, at most :data:`VALIDITY`; an older conductor does not say it."""
    if seconds is None or not seconds.isdecimal() or len(seconds) > _DIGITS:
        return VALIDITY
    return min(VALIDITY, datetime.timedelta(seconds=int(seconds)))


def sign(
    csr_pem: bytes, ca_pem: bytes, key_pem: bytes, now: datetime.datetime, validity: datetime.timedelta = VALIDITY
) -> bytes:
    """Return a client certificate (PEM) for the public key of the CSR.

    Only the key is taken from the request, never a subject or an extension: the sender of an order cannot choose the
    identity.

    :raises bootstrap.NodePhaseFailed: when the CSR is not valid or not signed by its own key.
    """
    try:
        request = x509.load_pem_x509_csr(csr_pem)
        proven = request.is_signature_valid
    except (ValueError, InvalidSignature) as error:
        raise bootstrap.NodePhaseFailed(
            f"the input {order_names.CSR_FILE} is not a certificate signing request"
        ) from error
    public_key = request.public_key()
    if not proven or not isinstance(public_key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise bootstrap.NodePhaseFailed("the signing request does not prove the possession of an EC or RSA key")
    ca = x509.load_pem_x509_certificate(ca_pem)
    ca_key = serialization.load_pem_private_key(key_pem, password=None)
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise bootstrap.NodePhaseFailed("the key of the cluster's CA is of a kind that this agent does not support")
    subject = x509.Name(
        [
            x509.NameAttribute(oid.NameOID.ORGANIZATION_NAME, order_names.CLIENT_ORGANIZATION),
            x509.NameAttribute(oid.NameOID.COMMON_NAME, order_names.CLIENT_COMMON_NAME),
        ]
    )
    usage = certificates.key_usage(digital_signature=True, key_encipherment=isinstance(public_key, rsa.RSAPublicKey))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(ca.subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_TOLERANCE)
        .not_valid_after(min(now + validity, ca.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([oid.ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)
