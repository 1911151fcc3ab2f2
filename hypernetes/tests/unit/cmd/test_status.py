# SPDX-License-Identifier: Apache-2.0
"""hypernetes-status, on SQLite."""

from pathlib import Path

import fixtures
import testtools
from cryptography import fernet

from hypernetes.cmd import manage
from hypernetes.cmd import status
from hypernetes.conductor.clusters import keys
from hypernetes.db import api as db_api
from hypernetes.tests.support import database

SUCCESS, FAILURE = 0, 2


class StatusTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        directory = Path(self.useFixture(fixtures.TempDir()).path)
        self.key_file = directory / "conductor.key"
        self.key = fernet.Fernet.generate_key().decode()
        self.key_file.write_text(self.key)
        self.key_file.chmod(0o600)
        self.connection = f"sqlite:///{directory / 'test.sqlite'}"
        self.configuration = directory / "hypernetes.conf"
        self.configure(self.connection)
        self.useFixture(fixtures.FakeLogger())
        self.output = self.useFixture(fixtures.StringStream("stdout")).stream
        self.useFixture(fixtures.MonkeyPatch("sys.stdout", self.output))

    def configure(self, connection: str) -> None:
        self.configuration.write_text(
            f"[database]\nconnection = {connection}\n[conductor]\nkey_file = {self.key_file}\n"
        )

    def check(self) -> tuple[int, str]:
        """Exit status, and what was said, in one line."""
        code = status.main(["--config-file", str(self.configuration), "upgrade", "check", "--json"])
        self.output.seek(0)
        return code, self.output.read()

    def upgrade(self, *branch: str) -> None:
        manage.main(["--config-file", str(self.configuration), "db", "upgrade", *branch])

    def test_what_is_ready_succeeds(self) -> None:
        self.upgrade()
        self.assertEqual(SUCCESS, self.check()[0])

    def test_removals_may_wait_until_the_old_release_has_stopped(self) -> None:
        self.upgrade("expand")
        self.assertEqual(SUCCESS, self.check()[0])

    def test_tables_of_an_older_form_are_told_with_the_remedy(self) -> None:
        code, said = self.check()
        self.assertEqual(FAILURE, code)
        self.assertIn("hypernetes-manage db upgrade", said)

    def test_a_database_that_cannot_be_read_is_told(self) -> None:
        self.configure("sqlite:////nowhere/at/all.sqlite")
        code, said = self.check()
        self.assertEqual(FAILURE, code)
        self.assertIn("cannot be read", said)

    def test_a_key_file_that_does_not_decrypt_is_told(self) -> None:
        self.upgrade()
        conf = database.configuration(self.connection)
        stored = keys.KeyRing([self.key]).encrypt("a client's key")
        db = db_api.Database(conf)
        db.clusters.observe(database.cluster(db).id, client_key_encrypted=stored)
        self.assertEqual(SUCCESS, self.check()[0])
        self.key_file.write_text(fernet.Fernet.generate_key().decode())
        code, said = self.check()
        self.assertEqual(FAILURE, code)
        self.assertIn("decrypts", said)

    def test_a_key_file_that_others_may_read_is_told(self) -> None:
        self.upgrade()
        self.key_file.chmod(0o644)
        code, said = self.check()
        self.assertEqual(FAILURE, code)
        self.assertIn("accessible to other users", said)
