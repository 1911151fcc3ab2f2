# SPDX-License-Identifier: Apache-2.0
"""``openstack kube config`` and the kubeconfigs it makes."""

import contextlib
import errno
import io
from pathlib import Path
from typing import Any
from unittest import mock

import fixtures
import testtools
import yaml
from openstack import exceptions as sdk
from osc_lib import exceptions

from hypernetes.osc import config
from hypernetes.osc import credential
from hypernetes.sdk import kubeconfig
from hypernetes.sdk.namespace import Namespace
from hypernetes.tests.support.fakes import openstack_cli

SECRET = "planted-secret"


def _access(**changes: Any) -> kubeconfig.Access:
    facts: dict[str, Any] = {
        "cluster_id": openstack_cli.CLUSTER_ID,
        "cluster_name": "demo",
        "api_address": "https://198.51.100.11:6443",
        "ca_certificate": "PEM",
        "project_id": "red-id",
        "project_name": "red",
        "helper": "hypernetes-kube-login",
        "environment": {"OS_APPLICATION_CREDENTIAL_ID": "c0"},
        **changes,
    }
    return kubeconfig.Access(**facts)


def _add(existing: dict[str, Any], **changes: Any) -> dict[str, Any]:
    access = _access(**changes)
    return kubeconfig.merge(existing, kubeconfig.document(access, kubeconfig.choose_names(existing, access)))


def _contexts(document: dict[str, Any]) -> list[str]:
    return [entry["name"] for entry in document["contexts"]]


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
        merged = _add(other)
        self.assertEqual(["other", "demo"], [entry["name"] for entry in merged["clusters"]])
        self.assertEqual("https://198.51.100.11:6443", merged["clusters"][1]["cluster"]["server"])
        self.assertEqual(["other", "demo-red"], [entry["name"] for entry in merged["users"]])
        self.assertEqual(({"colors": True}, "demo-red"), (merged["preferences"], merged["current-context"]))

    def test_merging_twice_changes_nothing(self) -> None:
        once = _add({})
        self.assertEqual(once, _add(once))

    def test_two_projects_share_the_cluster_s_entry(self) -> None:
        both = _add(_add({}), project_id="blue-id", project_name="blue team")
        self.assertEqual(1, len(both["clusters"]))
        self.assertEqual(["demo-red", "demo-blue-team"], _contexts(both))

    def test_projects_whose_names_differ_outside_ascii_have_two_contexts(self) -> None:
        for first, second in (("tr-äö", "tr-üß"), ("отдел", "склад"), ("研究", "開発")):
            both = _add(_add({}, project_id="1", project_name=first), project_id="2", project_name=second)
            self.assertEqual([f"demo-{first}", f"demo-{second}"], _contexts(both))

    def test_projects_whose_context_would_have_the_same_name_have_two_contexts(self) -> None:
        for first, second in (("red", "red"), ("a b", "a/b"), ("a b", "a-b")):
            both = _add(_add({}, project_id="1", project_name=first), project_id="2", project_name=second)
            one, other = _contexts(both)
            self.assertTrue(other.startswith(f"{one}-"), other)
            self.assertEqual(_contexts(both), _contexts(_add(both, project_id="2", project_name=second)))
            self.assertEqual({one, other}, {entry["name"] for entry in both["users"]})

    def test_a_cluster_and_a_project_that_spell_the_same_context_have_two(self) -> None:
        first = _add({}, cluster_id="1", cluster_name="a-b", project_name="c", api_address="https://one")
        both = _add(first, cluster_id="2", cluster_name="a", project_name="b-c", api_address="https://two")
        self.assertEqual(2, len(set(_contexts(both))))

    def test_clusters_of_two_clouds_may_have_the_same_name(self) -> None:
        both = _add(_add({}), cluster_id="2", api_address="https://elsewhere", project_id="blue-id")
        self.assertEqual(2, len({entry["cluster"]["server"] for entry in both["clusters"]}))
        self.assertEqual(2, len(_contexts(both)))
        for context in both["contexts"]:
            self.assertIn(context["context"]["cluster"], [entry["name"] for entry in both["clusters"]])

    def test_a_cluster_created_again_takes_the_place_of_the_former_one(self) -> None:
        again = _add(_add({}), cluster_id="2")
        self.assertEqual((["demo-red"], 1), (_contexts(again), len(again["clusters"])))

    def test_the_helper_is_asked_by_the_interface_s_first_version(self) -> None:
        (user,) = _add({})["users"]
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

    def _refused(self, *words: str) -> str:
        error = self.assertRaises((exceptions.CommandError, SystemExit), self._run, *words)
        self.assertEqual([], self.app.connection.made)
        self.assertFalse(self.path.exists())
        return str(error)

    def test_an_expiry_that_cannot_be_is_refused_before_anything_is_asked(self) -> None:
        for days in ("0", "-1", "1.5", "soon", "", "9" * 30, str(credential.LONGEST_DAYS + 1)):
            with contextlib.redirect_stderr(io.StringIO()) as said:
                self._refused("demo", f"--expires-in={days}")
            self.assertIn("argument --expires-in: must be a whole number of days from 1 to 36500", said.getvalue())
        self.assertEqual([], self.app.client_manager.kube.calls)

    def test_a_role_that_the_user_lacks_is_refused_before_anything_is_asked(self) -> None:
        for role in ("admin", "", "no such role"):
            said = self._refused("demo", "--role", "reader", "--role", role)
            self.assertEqual(f"you do not have the role {role!r} in this project; choose from: member, reader", said)
        self.assertEqual([], self.app.client_manager.kube.calls)

    def test_a_role_is_found_in_whatever_case(self) -> None:
        self._run("demo", "--role", "Reader")
        self.assertEqual(1, len(self.app.connection.made))

    def test_options_of_the_credential_need_one(self) -> None:
        for words in (("--role", "reader"), ("--expires-in", "3")):
            self.assertIn("--auth environment", self._refused("demo", "--auth", "environment", *words))

    def test_another_refusal_of_keystone_is_reported_without_its_url(self) -> None:
        response = mock.Mock(status_code=400, headers={"content-type": "application/json"}, url="https://keystone/x")
        response.json.return_value = {"error": {"message": "Invalid input for field expires_at"}}
        self.app.connection.refuses = sdk.BadRequestException(response=response, details="Invalid input")
        said = self._refused("demo")
        self.assertEqual("Keystone refused to create an application credential: Invalid input", said)

    def test_only_active_clusters_are_a_choice(self) -> None:
        service = self.app.client_manager.kube
        service.items += [openstack_cli.cluster(id=s, name=s.lower(), status=s) for s in ("CREATING", "DELETING")]
        self._run()
        self.assertEqual("demo-Red", yaml.safe_load(self.path.read_text())["current-context"])

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
        self.app.client_manager.kube.items.append(Namespace(id="ns", name="web", status="ACTIVE"))
        self.app.client_manager.kube.items.append(Namespace(id="old", name="old", status="DELETING"))
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

        self.useFixture(fixtures.MonkeyPatch("hypernetes.sdk.kubeconfig.write", refuse))

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
