# SPDX-License-Identifier: Apache-2.0
"""Which serving certificates are approved: a node's own, for its recorded name and address."""

import base64
import ipaddress
from typing import Any

import testtools
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lightkube.resources import certificates_v1 as certificates

from hypernetes.kubernetes import serving_certificates

ADDRESSES = {"node1": "192.0.2.11", "node2": "192.0.2.12"}
OWN = (x509.DNSName("node1"), x509.IPAddress(ipaddress.ip_address("192.0.2.11")))


def pem(names: tuple[x509.GeneralName, ...] = OWN, user: str = "system:node:node1", group: str = "system:nodes") -> str:
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group), x509.NameAttribute(NameOID.COMMON_NAME, user)]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if names:
        request = request.add_extension(x509.SubjectAlternativeName(names), critical=False)
    signed = request.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode()


def request(request_pem: str | None = None, **spec: Any) -> Any:
    facts = {
        "signerName": serving_certificates.SIGNER,
        "username": "system:node:node1",
        "groups": ["system:nodes", "system:authenticated"],
        "usages": ["digital signature", "server auth"],
        "request": request_pem or pem(),
    }
    return certificates.CertificateSigningRequest.from_dict({"metadata": {"name": "csr-1"}, "spec": facts | spec})


class RefusalTest(testtools.TestCase):
    def test_a_node_s_own_request_is_approved(self) -> None:
        self.assertIsNone(serving_certificates.refusal(request(), ADDRESSES))
        alone = pem((x509.IPAddress(ipaddress.ip_address("192.0.2.11")),))
        self.assertIsNone(serving_certificates.refusal(request(alone), ADDRESSES))

    def test_every_other_one_is_left_pending(self) -> None:
        address = x509.IPAddress(ipaddress.ip_address("192.0.2.12"))
        for made in (
            request(pem((*OWN, x509.DNSName("node2")))),
            request(pem((*OWN, address))),
            request(pem((x509.DNSName("node1"), address))),
            request(pem((x509.DNSName("node1"),))),
            request(pem((*OWN, x509.UniformResourceIdentifier("https://x")))),
            request(pem((*OWN, x509.RFC822Name("a@b")))),
            request(pem(())),
            request(pem(user="system:node:node2")),
            request(pem(group="system:masters")),
            request("bm90IGEgcmVxdWVzdA=="),
            request("no base 64"),
            request(username="system:node:node2"),
            request(username="system:node:node3"),
            request(username="keystone:node1"),
            request(username="node1"),
            request(groups=["system:authenticated"]),
            request(usages=["digital signature", "server auth", "client auth"]),
            request(usages=["digital signature"]),
        ):
            self.assertIsNotNone(serving_certificates.refusal(made, ADDRESSES), str(made.spec))
