# SPDX-License-Identifier: Apache-2.0
"""hypernetes-manage, on SQLite."""

import json
from pathlib import Path

import fixtures
import testtools
from cryptography import fernet

from hypernetes.cmd import manage
from hypernetes.conductor import orders
from hypernetes.conductor.clusters import keys
from hypernetes.db import api as db_api
from hypernetes.db import migration
from hypernetes.model import errors
from hypernetes.model import records
from hypernetes.model import states
from hypernetes.rpc import messages
from hypernetes.tests.support import database as builders


class ManageTest(testtools.TestCase):
    """The commands an operator types."""

    def setUp(self) -> None:
        super().setUp()
        directory = Path(self.useFixture(fixtures.TempDir()).path)
        self.configuration = directory / "hypernetes.conf"
        self.key_file = directory / "conductor.key"
        self.connection = f"sqlite:///{directory / 'test.sqlite'}"
        ca_file = directory / "webhook-ca.crt"
        ca_file.write_text("PEM")
        self.configuration.write_text(
            f"[database]\nconnection = {self.connection}\n[conductor]\nkey_file = {self.key_file}\n"
            f"[kubernetes]\nwebhook_url = https://192.0.2.1:9519\nwebhook_ca_file = {ca_file}\n"
        )
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

    def write_keys(self, *lines: str) -> None:
        """The key file with these keys, the first of which encrypts."""
        self.key_file.write_text("\n".join(lines))
        self.key_file.chmod(0o600)

    def test_after_encrypting_again_the_old_key_is_not_needed(self) -> None:
        old, new = (fernet.Fernet.generate_key().decode() for _ in range(2))
        self.run_command("db", "upgrade")
        database = db_api.Database(builders.configuration(self.connection))
        self.addCleanup(database.transactions.dispose)
        stored = builders.cluster(database, "one")
        builders.cluster(database, "without")
        database.clusters.observe(stored.id, client_key_encrypted=keys.KeyRing([old]).encrypt("the key"))
        self.write_keys(new, old)
        self.assertEqual(0, self.run_command("keys", "reencrypt"))
        encrypted = database.clusters.get(stored.id).client_key_encrypted or ""
        self.assertEqual("the key", keys.KeyRing([new]).decrypt(encrypted))
        self.assertEqual(0, self.run_command("keys", "reencrypt"))

    def test_a_key_that_nothing_decrypts_is_kept_and_the_cluster_is_named(self) -> None:
        self.run_command("db", "upgrade")
        database = db_api.Database(builders.configuration(self.connection))
        self.addCleanup(database.transactions.dispose)
        stored = builders.cluster(database, "lost")
        database.clusters.observe(stored.id, client_key_encrypted="unreadable")
        self.write_keys(fernet.Fernet.generate_key().decode())
        self.useFixture(fixtures.MonkeyPatch("sys.stderr", self.output))
        self.assertEqual(1, self.run_command("keys", "reencrypt"))
        self.assertEqual("unreadable", database.clusters.get(stored.id).client_key_encrypted)
        self.output.seek(0)
        self.assertIn("cluster lost", self.output.read())

    def test_a_key_encrypted_by_a_conductor_meanwhile_is_kept(self) -> None:
        self.run_command("db", "upgrade")
        database = db_api.Database(builders.configuration(self.connection))
        self.addCleanup(database.transactions.dispose)
        stored = builders.cluster(database)
        database.clusters.observe(stored.id, client_key_encrypted="newer")
        self.assertRaises(errors.StaleGeneration, database.clusters.reencrypt, stored.id, "older", "older again")
        self.assertEqual("newer", database.clusters.get(stored.id).client_key_encrypted)

    def active_cluster(self) -> tuple[db_api.Database, records.Cluster]:
        """An ACTIVE cluster whose control node is UP, in a database whose key file the command can read."""
        self.run_command("db", "upgrade")
        database = db_api.Database(builders.configuration(self.connection))
        self.addCleanup(database.transactions.dispose)
        node = builders.node(database, "node1")
        database.nodes.observe(node.id, status=states.NodeStatus.UP, address="192.0.2.11")
        stored = builders.cluster(database, "demo", nodes=(node.id,))
        key = fernet.Fernet.generate_key().decode()
        self.write_keys(key)
        encrypted = keys.KeyRing([key]).encrypt(keys.new_private_key())
        database.clusters.observe(stored.id, status=states.ClusterStatus.ACTIVE, client_key_encrypted=encrypted)
        return database, database.clusters.get(stored.id)

    def test_a_renewal_is_ordered_once_in_the_control_nodes_record(self) -> None:
        database, cluster = self.active_cluster()
        self.assertEqual(0, self.run_command("certificates", "renew", cluster.id))
        order = database.nodes.get(cluster.control_node_ids[0]).order
        self.assertEqual("renew-control-plane", json.loads(order or "{}")["phase"])
        self.assertNotIn("PRIVATE", order or "")
        self.assertEqual(0, self.run_command("certificates", "renew", cluster.id))
        self.assertEqual(order, database.nodes.get(cluster.control_node_ids[0]).order)

    def test_a_renewal_that_cannot_be_is_refused_with_the_reason(self) -> None:
        database, cluster = self.active_cluster()
        self.useFixture(fixtures.MonkeyPatch("sys.stderr", self.output))
        self.assertEqual(1, self.run_command("certificates", "renew", "no-such-cluster"))
        database.nodes.observe(cluster.control_node_ids[0], status=states.NodeStatus.DOWN)
        self.assertEqual(1, self.run_command("certificates", "renew", cluster.id))
        database.clusters.observe(cluster.id, status=states.ClusterStatus.ERROR)
        self.assertEqual(1, self.run_command("certificates", "renew", cluster.id))
        self.output.seek(0)
        said = self.output.read()
        for words in ("no-such-cluster", "DOWN, not UP", "ERROR, not ACTIVE"):
            self.assertIn(words, said)
        self.assertIsNone(database.nodes.get(cluster.control_node_ids[0]).order)

    def test_a_renewal_replaces_no_other_order(self) -> None:
        database, cluster = self.active_cluster()
        node_id = cluster.control_node_ids[0]
        other = orders.encode(messages.PhaseOrder("o", cluster.id, "reset"))
        database.nodes.observe(node_id, order=other)
        self.useFixture(fixtures.MonkeyPatch("sys.stderr", self.output))
        self.assertEqual(1, self.run_command("certificates", "renew", cluster.id))
        self.assertEqual(other, database.nodes.get(node_id).order)
        self.output.seek(0)
        self.assertIn("phase reset", self.output.read())
