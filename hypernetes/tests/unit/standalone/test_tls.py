# SPDX-License-Identifier: Apache-2.0
"""Certificates are issued once, for the right names, and their keys are private."""

import stat
import tempfile
import unittest
from pathlib import Path

from cryptography import x509

from hypernetes.standalone import tls


class AuthorityTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.ca = tls.CertificateAuthority(self.directory)
        self.ca.ensure()

    def test_a_certificate_names_its_addresses_and_its_holder(self) -> None:
        path, _ = self.ca.issue("x", addresses=["198.51.100.1"], common_name="node1")
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertEqual(["198.51.100.1"], [str(one) for one in names.get_values_for_type(x509.IPAddress)])
        self.assertEqual("CN=node1", certificate.subject.rfc4514_string())

    def test_a_key_is_readable_by_its_owner_alone(self) -> None:
        _, key = self.ca.issue("x")
        self.assertEqual(0o600, stat.S_IMODE(key.stat().st_mode))

    def test_what_is_valid_is_left_as_it_is(self) -> None:
        path, _ = self.ca.issue("x")
        before = path.read_bytes()
        self.ca.issue("x")
        self.assertEqual(before, path.read_bytes())

    def test_a_certificate_of_another_authority_is_replaced(self) -> None:
        path, _ = self.ca.issue("x")
        before = path.read_bytes()
        (self.directory / "ca.crt").unlink()
        self.ca.ensure()
        self.ca.issue("x")
        self.assertNotEqual(before, path.read_bytes())
