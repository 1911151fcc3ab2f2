# SPDX-License-Identifier: Apache-2.0
"""``openstack kube config`` and the kubeconfigs it makes."""

import errno
from pathlib import Path
from typing import Any

import fixtures
import testtools
import yaml
from openstack import exceptions as sdk
from osc_lib import exceptions

from hypernetes.osc import config
from hypernetes.osc import kubeconfig
from hypernetes.sdk import proxy
from hypernetes.tests.support.fakes import openstack_cli

SECRET = "planted-secret"


def _access(**changes: Any) -> kubeconfig.Access:
    facts: dict[str, Any] = {
        "cluster_name": "demo",
        "api_address": "https://198.51.100.11:6443",
        "ca_certificate": "PEM",
        "project_name": "red",
        "helper": "hypernetes-kube-login",
        "environment": {"OS_APPLICATION_CREDENTIAL_ID": "c0"},
        **changes,
    }
    return kubeconfig.Access(**facts)


class KubeconfigTest(testtools.TestCase):
    """Pure parts."""

    def test_other_entries_survive_a_merge(self) -> None:
        other = {
            "apiVersion": "v1",
            "kind": "Config",
            "preferences": {"colors": True},
            "clusters": [{"name": "other", "cluster": {}}, {"name": "demo", "cluster": {"server": "old"}}],
            "users": [{"name": "other", "user": {}}],
            "contexts": None,
            "current-context": "other",
        }
        merged = kubeconfig.merge(other, kubeconfig.document(_access()))
        self.assertEqual(["other", "demo"], [entry["name"] for entry in merged["clusters"]])
        self.assertEqual("https://198.51.100.11:6443", merged["clusters"][1]["cluster"]["server"])
        self.assertEqual(["other", "demo-red"], [entry["name"] for entry in merged["users"]])
        self.assertEqual(({"colors": True}, "demo-red"), (merged["preferences"], merged["current-context"]))

    def test_merging_twice_changes_nothing(self) -> None:
        new = kubeconfig.document(_access())
        once = kubeconfig.merge({}, new)
        self.assertEqual(once, kubeconfig.merge(once, new))

    def test_two_projects_share_the_cluster_s_entry(self) -> None:
        first = kubeconfig.merge({}, kubeconfig.document(_access()))
        both = kubeconfig.merge(first, kubeconfig.document(_access(project_name="blue team")))
        self.assertEqual(1, len(both["clusters"]))
        self.assertEqual(["demo-red", "demo-blue-team"], [entry["name"] for entry in both["contexts"]])

    def test_the_helper_is_asked_by_the_interface_s_first_version(self) -> None:
        (user,) = kubeconfig.document(_access())["users"]
        self.assertEqual("client.authentication.k8s.io/v1", user["user"]["exec"]["apiVersion"])
        self.assertEqual("Never", user["user"]["exec"]["interactiveMode"])

    def test_a_secret_does_not_show_in_logs(self) -> None:
        self.assertNotIn(SECRET, repr(_access(environment={"OS_APPLICATION_CREDENTIAL_SECRET": SECRET})))


class ConfigTest(testtools.TestCase):
    """The command."""

    def setUp(self) -> None:
        super().setUp()
        self.app = openstack_cli.App(openstack_cli.Service(openstack_cli.cluster()))
        self.path = Path(self.useFixture(fixtures.TempDir()).path) / "new" / "config"

    def _run(self, *words: str) -> None:
        openstack_cli.run(config.KubeConfig, self.app, *words, "--file", str(self.path))

    def test_the_file_is_for_its_user_alone(self) -> None:
        self._run("demo")
        self.assertEqual(0o600, self.path.stat().st_mode & 0o777)

    def test_a_file_that_others_could_read_is_closed(self) -> None:
        self.path.parent.mkdir()
        self.path.touch(0o644)
        self._run("demo")
        self.assertEqual(0o600, self.path.stat().st_mode & 0o777)

    def test_the_credential_opens_this_cluster_and_nothing_else(self) -> None:
        self._run("demo")
        (made,) = self.app.connection.made
        rule = {
            "service": "kubernetes", "method": "POST", "path": f"/v1/clusters/{openstack_cli.CLUSTER_ID}/tokenreview",
        }  # fmt: skip
        self.assertEqual(([rule], False), (made["access_rules"], made["unrestricted"]))

    def test_roles_and_an_end_may_be_chosen(self) -> None:
        self._run("demo", "--role", "reader", "--expires-in", "7")
        (made,) = self.app.connection.made
        self.assertEqual([{"name": "reader"}], made["roles"])
        self.assertIn("expires_at", made)

    def test_the_secret_is_in_the_file_and_nowhere_else(self) -> None:
        self._run("demo")
        self.assertIn(SECRET, self.path.read_text())
        self.assertNotIn(SECRET, self.app.stdout.getvalue() + self.app.stderr.getvalue())

    def test_a_dry_run_makes_and_writes_nothing(self) -> None:
        self._run("demo", "--dry-run")
        self.assertEqual([], self.app.connection.made)
        self.assertFalse(self.path.exists())
        self.assertEqual("Config", yaml.safe_load(self.app.stdout.getvalue())["kind"])

    def test_standard_output_gets_a_whole_kubeconfig(self) -> None:
        openstack_cli.run(config.KubeConfig, self.app, "demo", "--file", "-")
        document = yaml.safe_load(self.app.stdout.getvalue())
        self.assertEqual("demo-Red", document["current-context"])

    def test_with_the_environment_nothing_secret_is_written(self) -> None:
        self._run("demo", "--auth", "environment")
        self.assertEqual([], self.app.connection.made)
        self.assertNotIn("env", yaml.safe_load(self.path.read_text())["users"][0]["user"]["exec"])

    def test_the_only_namespace_becomes_the_context_s(self) -> None:
        self.app.client_manager.kube.items.append(proxy.Namespace(id="ns", name="web", status="ACTIVE"))
        self._run("demo")
        self.assertEqual("web", yaml.safe_load(self.path.read_text())["contexts"][0]["context"]["namespace"])

    def test_a_former_credential_is_named(self) -> None:
        self._run("demo")
        self._run("demo")
        self.assertIn("openstack application credential delete c1", self.app.stderr.getvalue())

    def test_what_is_no_kubeconfig_is_left_alone(self) -> None:
        self.path.parent.mkdir()
        for text in ("[1]", "clusters: x", "{", "users: [1]"):
            self.path.write_text(text)
            self.assertRaises(exceptions.CommandError, self._run, "demo")
            self.assertEqual(text, self.path.read_text())
        self.assertEqual([], self.app.connection.made)

    def _fill_the_disk(self) -> None:
        self._end_writing_by(OSError(errno.ENOSPC, "No space left on device"))

    def _end_writing_by(self, error: BaseException) -> None:
        def refuse(*_arguments: Any) -> None:
            raise error

        self.useFixture(fixtures.MonkeyPatch("hypernetes.osc.kubeconfig.write", refuse))

    def test_a_file_that_cannot_be_written_leaves_no_credential(self) -> None:
        self._fill_the_disk()
        error = self.assertRaises(exceptions.CommandError, self._run, "demo")
        self.assertIn("--file", str(error))
        self.assertEqual((1, [("u1", "c1")]), (len(self.app.connection.made), self.app.connection.deleted))

    def test_an_interruption_leaves_no_credential(self) -> None:
        self._end_writing_by(KeyboardInterrupt())
        with testtools.ExpectedException(KeyboardInterrupt):
            self._run("demo")
        self.assertEqual([("u1", "c1")], self.app.connection.deleted)

    def test_a_credential_that_could_not_be_taken_back_is_named(self) -> None:
        self._fill_the_disk()
        self.app.connection.keeps = sdk.SDKException("Keystone is away")
        error = self.assertRaises(exceptions.CommandError, self._run, "demo")
        self.assertIn("openstack application credential delete c1", str(error))
        self.assertNotIn(SECRET, str(error))

    def test_a_cluster_that_is_not_ready_has_no_kubeconfig(self) -> None:
        self.app.client_manager.kube.items = [openstack_cli.cluster(status="CREATING", api_address=None)]
        error = self.assertRaises(exceptions.CommandError, self._run, "demo")
        self.assertIn("ACTIVE", str(error))

    def test_a_login_that_cannot_make_credentials_is_told_the_other_way(self) -> None:
        self.app.connection.refuses = sdk.ForbiddenException("403")
        error = self.assertRaises(exceptions.CommandError, self._run, "demo")
        self.assertIn("--auth environment", str(error))
        self.assertFalse(self.path.exists())
