# SPDX-License-Identifier: Apache-2.0
"""hypernetes-manage, on SQLite."""

from pathlib import Path

import fixtures
import testtools

from hypernetes.cmd import manage
from hypernetes.db import migration


class ManageTest(testtools.TestCase):
    """The commands an operator types."""

    def setUp(self) -> None:
        super().setUp()
        directory = Path(self.useFixture(fixtures.TempDir()).path)
        self.configuration = directory / "hypernetes.conf"
        self.configuration.write_text(f"[database]\nconnection = sqlite:///{directory / 'test.sqlite'}\n")
        # oslo.log and alembic write to standard error.
        self.useFixture(fixtures.FakeLogger())
        self.output = self.useFixture(fixtures.StringStream("stdout")).stream
        self.useFixture(fixtures.MonkeyPatch("sys.stdout", self.output))

    def run_command(self, *arguments: str) -> int:
        """The exit status of a command."""
        return manage.main(["--config-file", str(self.configuration), *arguments])

    def test_the_version_tells_by_its_status_whether_scripts_are_missing(self) -> None:
        self.assertEqual(1, self.run_command("db", "version"))
        self.assertEqual(0, self.run_command("db", "upgrade"))
        self.assertEqual(0, self.run_command("db", "version"))

    def test_the_branches_can_be_run_apart_and_again(self) -> None:
        for branch in ("expand", "contract", "expand"):
            self.assertEqual(0, self.run_command("db", "upgrade", branch))
        self.assertEqual(0, self.run_command("db", "version"))

    def test_the_version_names_the_newest_revision_of_each_branch(self) -> None:
        self.run_command("db", "upgrade", "expand")
        self.assertEqual(1, self.run_command("db", "version"))
        self.run_command("db", "upgrade", "contract")
        self.run_command("db", "version")
        self.output.seek(0)
        before, after = (self.output.read().replace("release:  ", "database: ").split("database: ")[1:])[::2]
        wanted = list(migration.wanted())
        self.assertEqual([[r for r in wanted if r.startswith("e")], wanted], [before.split(), after.split()])

    def test_an_unknown_branch_is_an_error(self) -> None:
        self.useFixture(fixtures.MonkeyPatch("sys.stderr", self.output))
        self.assertEqual(2, self.assertRaises(SystemExit, self.run_command, "db", "upgrade", "sideways").code)
