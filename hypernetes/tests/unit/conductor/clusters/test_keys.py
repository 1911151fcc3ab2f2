# SPDX-License-Identifier: Apache-2.0
"""Clusters' client keys at rest."""

from pathlib import Path

import fixtures
import testtools
from cryptography import fernet
from cryptography import x509

from hypernetes.conductor.clusters import keys
from hypernetes.model import errors


class KeyRingTest(testtools.TestCase):
    def write(self, text: str, mode: int = 0o600) -> str:
        path = Path(self.useFixture(fixtures.TempDir()).path) / "key"
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def test_what_is_encrypted_is_decrypted_and_unreadable_between(self) -> None:
        ring = keys.KeyRing.load(self.write(fernet.Fernet.generate_key().decode()))
        stored = ring.encrypt("secret")
        self.assertNotIn("secret", stored)
        self.assertEqual("secret", ring.decrypt(stored))

    def test_an_older_key_still_decrypts_after_a_new_one_was_put_first(self) -> None:
        old, new = (fernet.Fernet.generate_key().decode() for _ in range(2))
        stored = keys.KeyRing([old]).encrypt("secret")
        self.assertEqual("secret", keys.KeyRing([new, old]).decrypt(stored))
        self.assertRaises(errors.Refused, keys.KeyRing([new]).decrypt, stored)

    def test_a_file_open_to_others_is_refused(self) -> None:
        key = fernet.Fernet.generate_key().decode()
        for mode in (0o644, 0o604, 0o620):
            self.assertRaises(keys.KeyFileUnusable, keys.KeyRing.load, self.write(key, mode))
        keys.KeyRing.load(self.write(key, 0o640))

    def test_a_missing_empty_or_malformed_file_is_refused(self) -> None:
        self.assertRaises(keys.KeyFileUnusable, keys.KeyRing.load, "/nonexistent")
        self.assertRaises(keys.KeyFileUnusable, keys.KeyRing.load, self.write(""))
        self.assertRaises(keys.KeyFileUnusable, keys.KeyRing.load, self.write("not a key"))

    def test_the_signing_request_asks_for_the_conductors_identity(self) -> None:
        request = x509.load_pem_x509_csr(keys.signing_request(keys.new_private_key()).encode())
        self.assertTrue(request.is_signature_valid)
        self.assertEqual("CN=hypernetes-conductor,O=kubeadm:cluster-admins", request.subject.rfc4514_string())
