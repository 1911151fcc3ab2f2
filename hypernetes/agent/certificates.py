# SPDX-License-Identifier: Apache-2.0
"""X.509 parts that the agent, which signs the conductor's certificate, shares with the standalone environment's CA."""

from cryptography import x509


def key_usage(
    *, digital_signature: bool = False, key_encipherment: bool = False, certificate_authority: bool = False
) -> x509.KeyUsage:
    """Return a KeyUsage extension with exactly these usages (RFC 5280, 4.2.1.3)."""
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificate_authority,
        crl_sign=certificate_authority,
        encipher_only=False,
        decipher_only=False,
    )
