# SPDX-License-Identifier: Apache-2.0
"""Tests of hypernetes.agent.bootstrap.sign_client."""

import datetime
from pathlib import Path

import fixtures
import testtools
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import oid

from hypernetes.agent import bootstrap
from hypernetes.agent.bootstrap import sign_client
from hypernetes.tests.support import agent_builders

NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)


def _authority(years: int) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(oid.NameOID.COMMON_NAME, "kubernetes")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + datetime.timedelta(days=365 * years))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(serialization.Encoding.PEM), pem


def _request(key: ec.EllipticCurvePrivateKey, organization: str) -> bytes:
    subject = x509.Name([x509.NameAttribute(oid.NameOID.ORGANIZATION_NAME, organization)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


class SignTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.key = ec.generate_private_key(ec.SECP256R1())

    def _sign(self, request: bytes, years: int = 10) -> x509.Certificate:
        certificate, key = _authority(years)
        signed = x509.load_pem_x509_certificate(sign_client.sign(request, certificate, key, NOW))
        signed.verify_directly_issued_by(x509.load_pem_x509_certificate(certificate))
        return signed

    def test_the_certificate_is_for_the_key_and_for_the_conductor_whatever_the_request_says(self) -> None:
        signed = self._sign(_request(self.key, "system:masters"))
        self.assertEqual(self.key.public_key(), signed.public_key())
        self.assertEqual("CN=hypernetes-conductor,O=kubeadm:cluster-admins", signed.subject.rfc4514_string())

    def test_it_serves_clients_only_and_for_a_year(self) -> None:
        signed = self._sign(_request(self.key, "any"))
        usage = signed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        self.assertEqual([oid.ExtendedKeyUsageOID.CLIENT_AUTH], list(usage))
        self.assertFalse(signed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
        self.assertEqual(NOW + datetime.timedelta(days=365), signed.not_valid_after_utc)

    def test_it_does_not_outlive_its_authority(self) -> None:
        signed = self._sign(_request(self.key, "any"), years=0)
        self.assertEqual(NOW, signed.not_valid_after_utc)

    def test_what_is_no_request_is_refused(self) -> None:
        certificate, key = _authority(1)
        self.assertRaises(bootstrap.NodePhaseFailed, sign_client.sign, b"x", certificate, key, NOW)


class PhaseTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.node, _, _ = agent_builders.node(Path(self.useFixture(fixtures.TempDir()).path))

    def test_it_tells_where_the_apiserver_is_and_who_vouches_for_it(self) -> None:
        certificate, key = _authority(100)
        for path, content in zip(self.node.layout.ca_files, (certificate, key), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        request = _request(ec.generate_private_key(ec.SECP256R1()), "any")
        outputs = sign_client.run(self.node, {"client.csr": request.decode()})
        self.assertEqual("https://192.0.2.1:6443", outputs["api_address"])
        self.assertEqual(certificate.decode(), outputs["ca_certificate"])
        self.assertIn("BEGIN CERTIFICATE", outputs["client_certificate"])

    def test_the_order_may_ask_for_less_than_a_year(self) -> None:
        certificate, key = _authority(100)
        for path, content in zip(self.node.layout.ca_files, (certificate, key), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        request = _request(ec.generate_private_key(ec.SECP256R1()), "any").decode()
        year = sign_client.VALIDITY.total_seconds()
        for asked, lives in (("600", 600), ("x", year), ("9" * 11, year), ("9" * 40, year)):
            outputs = sign_client.run(self.node, {"client.csr": request, "validity_seconds": asked})
            made = x509.load_pem_x509_certificate(outputs["client_certificate"].encode())
            life = made.not_valid_after_utc - made.not_valid_before_utc - sign_client.CLOCK_TOLERANCE
            self.assertEqual(lives, life.total_seconds())

    def test_without_an_authority_the_phase_that_makes_it_is_named(self) -> None:
        failure = self.assertRaises(bootstrap.NodePhaseFailed, sign_client.run, self.node, {"client.csr": "x"})
        self.assertIn("run the phase certs first", str(failure))
