# SPDX-License-Identifier: Apache-2.0
"""The exec-credential helper, with a Keystone that is a small HTTP server."""

import hashlib
import http.server
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import redirect_stderr
from contextlib import redirect_stdout
from datetime import datetime
from datetime import timedelta
from datetime import UTC
from pathlib import Path
from typing import Any
from typing import ClassVar
from unittest import mock

import fixtures
import testtools

import hypernetes
from hypernetes.login import cache
from hypernetes.login import environment as environments
from hypernetes.login import helper
from hypernetes.login import keystone

CREDENTIAL = {"OS_APPLICATION_CREDENTIAL_ID": "c1", "OS_APPLICATION_CREDENTIAL_SECRET": "s1"}


class Keystone(fixtures.Fixture):
    """Answers with the statuses it is given, then with tokens; remembers requests."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.requests: list[Any] = []
        """Logins: path and body."""
        self.validations: list[str] = []
        """Tokens that were asked about."""
        self.validation_status = 200
        self.expires_at = datetime.now(UTC) + timedelta(hours=1)

    def _setUp(self) -> None:  # noqa: N802 - fixtures' name
        fixture = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fixture.requests.append((self.path, body))
                status = fixture.statuses.pop(0) if fixture.statuses else 201
                self.send_response(status)
                self.send_header("X-Subject-Token", f"token-{len(fixture.requests)}")
                self.end_headers()
                self.wfile.write(json.dumps({"token": {"expires_at": fixture.expires_at.isoformat()}}).encode())

            def do_GET(self) -> None:
                subject = self.headers["X-Subject-Token"]
                fixture.validations.append(subject)
                # As Keystone: a token with access rules may validate itself by GET only, and if the client knows rules.
                allowed = self.path.startswith("/v3/auth/tokens") and self.headers["X-Auth-Token"] == subject
                knows_rules = self.headers["OpenStack-Identity-Access-Rules"] == "1.0"
                self.send_response(fixture.validation_status if allowed and knows_rules else 401)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        self.addCleanup(thread.join, 10)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_port}"


class LoginCase(testtools.TestCase):
    """A Keystone, and a directory for the cache."""

    def setUp(self) -> None:
        super().setUp()
        self.keystone = self.useFixture(Keystone())
        self.directory = self.useFixture(fixtures.TempDir()).path
        patched = mock.patch("time.sleep")
        self.slept = patched.start()
        self.addCleanup(patched.stop)

    def _environment(self, **more: str) -> dict[str, str]:
        return {"OS_AUTH_URL": self.keystone.url, "XDG_CACHE_HOME": self.directory, **more}

    def _files(self) -> list[Path]:
        return [path for path in Path(self.directory).rglob("*") if path.is_file()]


class LoginTest(LoginCase):
    """From environment to token."""

    def test_an_application_credential_becomes_a_token(self) -> None:
        token, expires_at = helper.credential(self._environment(**CREDENTIAL))
        self.assertEqual(("token-1", self.keystone.expires_at), (token, expires_at))
        ((path, body),) = self.keystone.requests
        self.assertEqual("/v3/auth/tokens?nocatalog", path)
        self.assertEqual(["application_credential"], body["auth"]["identity"]["methods"])
        self.assertNotIn("scope", body["auth"])

    def test_the_token_is_kept_where_only_its_user_can_read_it(self) -> None:
        helper.credential(self._environment(**CREDENTIAL))
        (file,) = self._files()
        self.assertEqual(0o600, file.stat().st_mode & 0o777)
        self.assertEqual(0o700, file.parent.stat().st_mode & 0o777)
        self.assertNotIn("s1", file.read_text())

    def test_a_kept_token_is_used_again(self) -> None:
        environment = self._environment(**CREDENTIAL)
        first = helper.credential(environment)
        self.assertEqual(first, helper.credential(environment))
        self.assertEqual(1, len(self.keystone.requests))

    def test_a_token_is_renewed_before_it_expires(self) -> None:
        self.keystone.expires_at = datetime.now(UTC) + helper.RENEW_BEFORE - timedelta(seconds=1)
        environment = self._environment(**CREDENTIAL)
        helper.credential(environment)
        helper.credential(environment)
        self.assertEqual(2, len(self.keystone.requests))

    def test_another_credential_has_another_token(self) -> None:
        helper.credential(self._environment(**CREDENTIAL))
        helper.credential(self._environment(**{**CREDENTIAL, "OS_APPLICATION_CREDENTIAL_ID": "c2"}))
        self.assertEqual(2, len(self.keystone.requests))

    def test_a_file_others_may_read_is_not_trusted(self) -> None:
        environment = self._environment(**CREDENTIAL)
        helper.credential(environment)
        (file,) = self._files()
        file.chmod(0o644)
        helper.credential(environment)
        self.assertEqual(2, len(self.keystone.requests))
        (file,) = self._files()
        self.assertEqual(0o600, file.stat().st_mode & 0o777)

    def test_a_link_in_place_of_the_file_is_not_followed(self) -> None:
        environment = self._environment(**CREDENTIAL)
        helper.credential(environment)
        (file,) = self._files()
        elsewhere = Path(self.useFixture(fixtures.TempDir()).path) / "elsewhere"
        file.rename(elsewhere)
        file.symlink_to(elsewhere)
        self.assertIsNone(cache.read(file))

    def test_a_broken_file_is_replaced(self) -> None:
        environment = self._environment(**CREDENTIAL)
        helper.credential(environment)
        (file,) = self._files()
        file.write_text("{")
        self.assertEqual("token-2", helper.credential(environment)[0])

    def test_a_home_that_cannot_be_written_costs_only_the_cache(self) -> None:
        token, _ = helper.credential({**self._environment(**CREDENTIAL), "XDG_CACHE_HOME": "/proc/nowhere"})
        self.assertEqual("token-1", token)

    def test_a_busy_keystone_is_asked_again_with_growing_pauses(self) -> None:
        self.keystone.statuses = [503, 429]
        self.assertEqual("token-3", helper.credential(self._environment(**CREDENTIAL))[0])
        pauses = [call.args[0] for call in self.slept.call_args_list]
        self.assertEqual(2, len(pauses))
        self.assertTrue(0.25 <= pauses[0] <= 0.75 and 0.5 <= pauses[1] <= 1.5, pauses)

    def test_a_keystone_that_stays_busy_is_given_up(self) -> None:
        self.keystone.statuses = [503] * keystone.ATTEMPTS
        error = self.assertRaises(environments.LoginFailed, helper.credential, self._environment(**CREDENTIAL))
        self.assertIn("try again later", str(error))

    def test_a_refused_credential_is_not_tried_again(self) -> None:
        self.keystone.statuses = [401]
        error = self.assertRaises(environments.LoginFailed, helper.credential, self._environment(**CREDENTIAL))
        self.assertIn("openstack kube config", str(error))
        self.assertEqual(1, len(self.keystone.requests))
        self.assertNotIn("s1", str(error))


class RefusedTokenTest(LoginCase):
    """A token that ended before its time is noticed."""

    PASSWORD: ClassVar = {
        "OS_USERNAME": "ann", "OS_USER_DOMAIN_ID": "default", "OS_PASSWORD": "old", "OS_PROJECT_ID": "red",
    }  # fmt: skip
    KUBECTL: ClassVar = {"KUBERNETES_EXEC_INFO": json.dumps({"apiVersion": helper.API_VERSION})}

    def setUp(self) -> None:
        super().setUp()
        self.now = datetime.now(UTC)
        self.process = 1000
        self.useFixture(fixtures.MonkeyPatch("os.getppid", lambda: self.process))

    def _token(self, after: float = 0.0, kubectl: int | None = None, changes: Mapping[str, str] | None = None) -> str:
        self.now += timedelta(seconds=after)
        self.process = 2**22 + (kubectl or 0)  # above the largest process ID of Linux
        environment = self._environment(**{**self.PASSWORD, **(self.KUBECTL if kubectl else {}), **(changes or {})})
        return helper.credential(environment, now=self.now)[0]

    def test_a_changed_password_logs_in_again(self) -> None:
        self.assertEqual("token-1", self._token())
        self.assertEqual("token-2", self._token(changes={"OS_PASSWORD": "new"}))
        self.assertEqual("token-2", self._token(changes={"OS_PASSWORD": "new"}))

    def test_a_changed_secret_logs_in_again(self) -> None:
        self.assertEqual("token-1", self._token(changes=CREDENTIAL))
        self.assertEqual("token-2", self._token(changes={**CREDENTIAL, "OS_APPLICATION_CREDENTIAL_SECRET": "s2"}))

    def test_another_user_with_the_same_password_has_another_token(self) -> None:
        self.assertEqual("token-1", self._token())
        for number, variables in enumerate(({"OS_USERNAME": "bob"}, {"OS_USER_ID": "u1"}, {"OS_USER_ID": "u2"}), 2):
            self.assertEqual(f"token-{number}", self._token(changes=variables))

    def test_the_file_does_not_hold_the_password_or_its_plain_digest(self) -> None:
        self._token(changes={"OS_PASSWORD": "planted"})
        (file,) = self._files()
        self.assertNotIn("planted", file.read_text())
        for algorithm in ("md5", "sha1", "sha256", "sha512"):
            self.assertNotIn(hashlib.new(algorithm, b"planted").hexdigest(), file.read_text())
        first = cache.read(file)
        self._token(changes={"OS_PASSWORD": "other"})
        self._token(changes={"OS_PASSWORD": "planted"})
        second = cache.read(file)
        assert first is not None and second is not None
        self.assertNotEqual(first.secret_digest, second.secret_digest)

    def test_keystone_is_asked_once_a_minute(self) -> None:
        for after, validations in ((0, 0), (59, 0), (1, 1), (59, 1), (1, 2)):
            self.assertEqual("token-1", self._token(after))
            self.assertEqual(["token-1"] * validations, self.keystone.validations)

    def test_a_revoked_token_is_replaced_after_a_minute(self) -> None:
        for status in (401, 404):
            self.keystone.validation_status = 200
            before = self._token(changes={"OS_PROJECT_ID": str(status)})
            self.keystone.validation_status = status
            self.assertEqual(before, self._token(after=59, changes={"OS_PROJECT_ID": str(status)}))
            self.assertNotEqual(before, self._token(after=1, changes={"OS_PROJECT_ID": str(status)}))

    def test_a_keystone_that_does_not_say_no_costs_no_login(self) -> None:
        self._token()
        for status in (403, 429, 500, 503):
            self.keystone.validation_status = status
            self.assertEqual("token-1", self._token(after=60))

    def test_a_kubectl_that_asks_again_was_refused(self) -> None:
        self.assertEqual("token-1", self._token(kubectl=1))
        self.assertEqual("token-1", self._token(kubectl=2))
        self.assertEqual("token-1", self._token(kubectl=3))
        self.assertEqual("token-2", self._token(kubectl=2))
        self.assertEqual("token-2", self._token(kubectl=4))
        self.assertEqual([], self.keystone.validations)

    def test_a_kubectl_that_is_refused_for_another_reason_does_not_flood_keystone(self) -> None:
        self.assertEqual(["token-1"] * 5, [self._token(after=1, kubectl=1) for _ in range(5)])
        self.assertEqual("token-2", self._token(after=10, kubectl=1))
        self.assertEqual(["token-2"] * 5, [self._token(after=1, kubectl=1) for _ in range(5)])

    def test_a_script_that_asks_again_was_not_refused(self) -> None:
        self.assertEqual(["token-1"] * 3, [self._token() for _ in range(3)])

    def test_a_process_id_that_is_used_again_is_another_kubectl(self) -> None:
        started = iter((b"100", b"200"))
        read = lambda _path: b"1 (a ) b) " + b"S " + b"0 " * 18 + next(started)  # noqa: E731
        self.useFixture(fixtures.MonkeyPatch("pathlib.Path.read_bytes", read))
        self.assertEqual(["token-1", "token-1"], [self._token(kubectl=1) for _ in range(2)])

    def test_a_clock_that_was_set_back_costs_a_login_and_no_error(self) -> None:
        self._token()
        self.assertEqual("token-2", self._token(after=-7200))

    def test_an_entry_of_another_form_is_replaced(self) -> None:
        self._token()
        (file,) = self._files()
        good = json.loads(file.read_text())
        for changes in ({"readers": None}, {"salt": 1}, {"secret_digest": "é"}, {"checked_at": "x"}, {"token": None}):
            file.write_text(json.dumps({**good, **changes}))
            self.assertIsNone(cache.read(file), str(changes))


class RequestTest(testtools.TestCase):
    """Which way to authenticate the environment asks for."""

    PROJECT: ClassVar = {"OS_PROJECT_NAME": "red", "OS_PROJECT_DOMAIN_ID": "default"}
    USER: ClassVar = {"OS_USERNAME": "ann", "OS_USER_DOMAIN_NAME": "Default", "OS_PASSWORD": "p"}

    def test_a_password_is_scoped_to_the_project(self) -> None:
        self.assertEqual(
            {
                "auth": {
                    "identity": {
                        "methods": ["password"],
                        "password": {"user": {"name": "ann", "domain": {"name": "Default"}, "password": "p"}},
                    },
                    "scope": {"project": {"name": "red", "domain": {"id": "default"}}},
                }
            },
            environments.auth_request({**self.PROJECT, **self.USER}),
        )

    def test_a_token_is_exchanged(self) -> None:
        request = environments.auth_request({"OS_TOKEN": "t", "OS_PROJECT_ID": "p1"})
        self.assertEqual({"project": {"id": "p1"}}, request["auth"]["scope"])
        self.assertEqual({"id": "t"}, request["auth"]["identity"]["token"])

    def test_an_application_credential_goes_before_the_rest(self) -> None:
        request = environments.auth_request({**CREDENTIAL, **self.PROJECT, **self.USER, "OS_TOKEN": "t"})
        self.assertEqual(["application_credential"], request["auth"]["identity"]["methods"])

    def test_an_application_credential_by_name_names_its_user(self) -> None:
        environment = {**self.USER, "OS_APPLICATION_CREDENTIAL_NAME": "n", "OS_APPLICATION_CREDENTIAL_SECRET": "s"}
        named = environments.auth_request(environment)["auth"]["identity"]["application_credential"]
        self.assertEqual({"name": "ann", "domain": {"name": "Default"}}, named["user"])

    def test_what_is_missing_is_named(self) -> None:
        for environment, missing in (
            ({}, "OS_PROJECT_ID"),
            (self.PROJECT, "OS_USERNAME"),
            ({**self.PROJECT, "OS_USERNAME": "a"}, "OS_USER_DOMAIN_ID"),
            ({**self.PROJECT, "OS_USER_ID": "u"}, "OS_PASSWORD"),
            ({"OS_APPLICATION_CREDENTIAL_ID": "c"}, "OS_APPLICATION_CREDENTIAL_SECRET"),
        ):
            error = self.assertRaises(environments.LoginFailed, environments.auth_request, environment)
            self.assertIn(missing, str(error))

    def test_a_secret_does_not_shape_the_file_s_name(self) -> None:
        variable = "OS_APPLICATION_CREDENTIAL_SECRET"
        common = {**CREDENTIAL, "HOME": "/h", "OS_AUTH_URL": "http://keystone/v3"}
        paths = {cache.path_for({**common, variable: secret}) for secret in ("one", "two")}
        self.assertEqual(1, len(paths))


class MainTest(testtools.TestCase):
    """What kubectl sees."""

    def _main(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with mock.patch.dict(os.environ, environment, clear=True), redirect_stdout(out), redirect_stderr(err):
            return helper.main(list(arguments)), out.getvalue(), err.getvalue()

    def test_it_prints_an_exec_credential(self) -> None:
        keystone = self.useFixture(Keystone())
        directory = self.useFixture(fixtures.TempDir()).path
        info = json.dumps({"apiVersion": helper.API_VERSION, "kind": "ExecCredential", "spec": {"interactive": False}})
        status, out, _ = self._main(
            OS_AUTH_URL=keystone.url, XDG_CACHE_HOME=directory, KUBERNETES_EXEC_INFO=info, **CREDENTIAL
        )
        document = json.loads(out)
        self.assertEqual((0, helper.API_VERSION, "ExecCredential"), (status, document["apiVersion"], document["kind"]))
        self.assertEqual("token-1", document["status"]["token"])
        renew_at = datetime.fromisoformat(document["status"]["expirationTimestamp"])
        self.assertLess(renew_at, keystone.expires_at)

    def test_a_failure_is_one_line_and_a_status(self) -> None:
        status, out, err = self._main()
        self.assertEqual((1, "", 1), (status, out, err.count("\n")))

    def test_an_older_interface_is_refused(self) -> None:
        info = json.dumps({"apiVersion": "client.authentication.k8s.io/v1beta1"})
        status, _, err = self._main(KUBERNETES_EXEC_INFO=info)
        self.assertEqual(1, status)
        self.assertIn(helper.API_VERSION, err)

    def test_help_has_an_example_and_a_wrong_argument_shows_it(self) -> None:
        self.assertIn("example:", self._main("--help")[1])
        status, _, err = self._main("--token=planted")
        self.assertEqual(2, status)
        self.assertNotIn("planted", err)

    def test_it_imports_nothing_but_the_standard_library(self) -> None:
        # -I and -S leave out every installed package.
        program = (
            f"import sys; sys.path.insert(0, {str(Path(hypernetes.__file__).parents[1])!r}); "
            "from hypernetes.login import helper; "
            "foreign = {name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names; "
            "sys.stderr.write(' '.join(sorted(foreign - {'__main__', 'hypernetes'}))); "
            "sys.exit(helper.main(['--help']))"
        )
        command = [sys.executable, "-I", "-S", "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual((0, helper.USAGE, ""), (done.returncode, done.stdout, done.stderr))

    def test_of_hypernetes_it_imports_only_its_own_package(self) -> None:
        program = (
            "import sys, hypernetes.login.helper; "
            "print(sorted(name for name in sys.modules if name.startswith('hypernetes.')))"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
        modules = ["cache", "environment", "helper", "keystone"]
        self.assertEqual(
            str(["hypernetes.login", *(f"hypernetes.login.{name}" for name in modules)]), done.stdout.strip()
        )
