# SPDX-License-Identifier: Apache-2.0
"""The Keystone project is the tenant, at the Hypernetes API and at the apiserver."""

import json
import time
import uuid

import requests

from hypernetes.standalone import addresses
from hypernetes.tests.isolation import base


def apiserver(path: str, token: str | None, *, method: str = "GET") -> int:
    """Status the apiserver answers a bearer token with."""
    cluster = next(c for c in base.rest("red", "GET", "/v1/clusters").json()["clusters"] if c["name"] == base.CLUSTER)
    bundle = base.LAYOUT.run / "isolation-cluster-ca.crt"
    bundle.write_text(cluster["ca_certificate"])
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    answer = requests.request(method, cluster["api_address"] + path, headers=headers, verify=str(bundle), timeout=30)
    return answer.status_code


class IdentityTest(base.IsolationTest):
    red: base.Namespace
    blue: base.Namespace

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.red = cls.namespace("red", "who-red")
        cls.blue = cls.namespace("blue", "who-blue")
        cls.red.wait_active()
        cls.blue.wait_active()
        cls.blue.start_pod("secretive")
        secret = cls.blue.kubectl("create", "secret", "generic", "mine", "--from-literal=key=value")
        if secret.status:
            raise AssertionError(secret.text)
        cls.blue.wait_running("secretive")

    def test_red_does_what_blue_may_not_see(self) -> None:
        """The positive control of this class: the same requests succeed in red's own namespace."""
        for words in (("get", "pods"), ("get", "secrets"), ("auth", "can-i", "create", "pods")):
            self.assertEqual(0, self.red.kubectl(*words).status, words)
        self.assertEqual(0, self.blue.exec("secretive", "true").status)

    def test_blues_objects_are_refused_to_red_at_the_apiserver(self) -> None:
        name = self.blue.name
        for words in (
            ("get", "namespace", name),
            ("-n", name, "get", "pods"),
            ("-n", name, "get", "pod", "secretive"),
            ("-n", name, "get", "secrets"),
            ("-n", name, "get", "secret", "mine"),
            ("-n", name, "exec", "secretive", "--", "true"),
            ("-n", name, "logs", "secretive"),
            ("-n", name, "delete", "pod", "secretive"),
            ("-n", name, "create", "token", "default"),
            ("get", "pods", "--all-namespaces"),
            ("get", "nodes"),
            ("get", "namespaces"),
            ("get", "--raw", f"/api/v1/namespaces/{name}/pods/secretive/proxy/"),
            ("get", "--raw", f"/api/v1/nodes/{base.NODE}/proxy/pods"),
        ):
            with self.subTest(words=words):
                done = base.kubectl("red", *words)
                self.assertNotEqual(0, done.status)
                self.assertRegex(done.text, r"[Ff]orbidden|NotFound")

    def test_blues_namespace_is_not_found_by_red_at_the_api(self) -> None:
        path = f"/v1/namespaces/{self.blue.id}"
        self.assertEqual(200, base.rest("blue", "GET", path).status_code)
        self.assertEqual(404, base.rest("red", "GET", path).status_code)
        self.assertEqual(404, base.rest("red", "DELETE", path).status_code)
        listed = base.rest("red", "GET", "/v1/namespaces").json()["namespaces"]
        self.assertNotIn(self.blue.id, {n["id"] for n in listed})
        self.assertIn(self.red.id, {n["id"] for n in listed})

    def test_a_taken_name_is_refused_without_its_owner(self) -> None:
        answer = base.rest("red", "POST", "/v1/namespaces", {"name": self.blue.name, "cluster": base.CLUSTER})
        self.assertEqual(409, answer.status_code)
        self.assertNotIn(self.blue.record()["project_id"], answer.text)

    def test_worthless_tokens_are_not_authenticated(self) -> None:
        red = base.cloud("red")
        good = red.session.get_token()
        self.assertEqual(200, apiserver(f"/api/v1/namespaces/{self.red.name}/pods", good))
        # Control: what _signed_token makes is a good token, while its time lasts.
        self.assertEqual(200, apiserver(f"/api/v1/namespaces/{self.red.name}/pods", _signed_token("red", seconds=600)))
        for label, token in (
            ("garbage", "gAAAAABgarbage"),
            ("unscoped", _unscoped_token("red")),
            ("revoked", _revoked_token("red")),
            ("expired", _signed_token("red", seconds=-1)),
        ):
            with self.subTest(token=label):
                self.assertEqual(401, apiserver(f"/api/v1/namespaces/{self.red.name}/pods", token))
                self.assertEqual(401, base.rest("red", "GET", "/v1/namespaces", token=token).status_code)

    def test_a_user_named_like_a_component_gains_nothing(self) -> None:
        admin = base.cloud("admin")
        password = uuid.uuid4().hex
        project = admin.identity.find_project("red", ignore_missing=False)
        user = admin.identity.create_user(name="system:kube-controller-manager", password=password, domain_id="default")
        self.addCleanup(admin.identity.delete_user, user)
        reader = admin.identity.find_role("reader", ignore_missing=False)
        admin.identity.assign_project_role_to_user(project, user, reader)
        token = base.password_token(user.id, password, project.id)
        self.assertEqual(200, apiserver(f"/api/v1/namespaces/{self.red.name}/pods", token))
        self.assertEqual(403, apiserver("/api/v1/nodes", token))
        self.assertEqual(403, apiserver("/api/v1/namespaces/kube-system/secrets", token))
        self.assertEqual(403, apiserver("/api/v1/secrets", token))

    def test_a_removed_role_takes_access_away_within_a_minute(self) -> None:
        admin = base.cloud("admin")
        password = uuid.uuid4().hex
        project = admin.identity.find_project("red", ignore_missing=False)
        user = admin.identity.create_user(name=f"leaver-{uuid.uuid4().hex[:6]}", password=password, domain_id="default")
        self.addCleanup(admin.identity.delete_user, user)
        role = admin.identity.find_role("member", ignore_missing=False)
        admin.identity.assign_project_role_to_user(project, user, role)
        token = base.password_token(user.id, password, project.id)
        path = f"/api/v1/namespaces/{self.red.name}/pods"
        self.assertEqual(200, apiserver(path, token))
        admin.identity.unassign_project_role_from_user(project, user, role)
        start = time.monotonic()
        base.eventually(lambda: apiserver(path, token) in (401, 403), "access revoked", timeout=60, interval=1)
        print(f"access was gone after {time.monotonic() - start:.1f} s")


def _auth(body: object) -> requests.Response:
    answer = requests.post(f"{addresses.KEYSTONE_URL}/auth/tokens", json={"auth": body}, timeout=30)
    answer.raise_for_status()
    return answer


def _unscoped_token(who: str) -> str:
    env = base.settings(who)
    user = {"name": env["OS_USERNAME"], "domain": {"name": env["OS_USER_DOMAIN_NAME"]}, "password": env["OS_PASSWORD"]}
    body = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": "unscoped"}
    return _auth(json.loads(json.dumps(body))).headers["X-Subject-Token"]


def _revoked_token(who: str) -> str:
    """A token that was good and is not any more."""
    env = base.settings(who)
    user = {"name": env["OS_USERNAME"], "domain": {"name": env["OS_USER_DOMAIN_NAME"]}, "password": env["OS_PASSWORD"]}
    project = {"name": env["OS_PROJECT_NAME"], "domain": {"name": env["OS_PROJECT_DOMAIN_NAME"]}}
    body = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": project}}
    token = _auth(body).headers["X-Subject-Token"]
    answer = requests.delete(
        f"{addresses.KEYSTONE_URL}/auth/tokens", headers={"X-Auth-Token": token, "X-Subject-Token": token}, timeout=30
    )
    answer.raise_for_status()
    return token


SIGN = """
import datetime, sys, uuid
import keystone.conf
from keystone.common import fernet_utils, utils
from keystone.token import token_formatters
user, project, seconds, keys = sys.argv[1:]
keystone.conf.configure()
keystone.conf.CONF([], default_config_files=[])
keystone.conf.CONF.set_override("key_repository", keys, "fernet_tokens")
end = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) + datetime.timedelta(seconds=float(seconds))
print(token_formatters.TokenFormatter().create_token(
    user, end.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), ["AAAAAAAAAAAAAAAAAAAAAA"], token_formatters.ProjectScopedPayload,
    methods=["password"], project_id=project))
"""


def _signed_token(who: str, *, seconds: int) -> str:
    """A token as Keystone itself would have signed it, that ends in so many seconds: Keystone gives no short ones."""
    red = base.cloud(who)
    keys = base.LAYOUT.service("keystone") / "fernet-keys"
    words = (red.current_user_id, red.current_project_id, str(seconds), str(keys))
    done = base.run([str(base.LAYOUT.venv / "bin/python"), "-c", SIGN, *words])
    if done.status:
        raise AssertionError(done.text)
    return done.output.strip()
