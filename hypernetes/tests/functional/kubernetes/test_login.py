# SPDX-License-Identifier: Apache-2.0
"""A real apiserver that asks our webhook, with a Keystone that is a dictionary."""

import datetime
import re
import ssl
import threading
import time
import unittest
from collections.abc import Callable
from typing import Any
from typing import ClassVar

import httpx2
from lightkube.resources import core_v1 as core
from lightkube.resources import flowcontrol_apiserver_v1 as flow

from hypernetes.auth import answers
from hypernetes.auth import webhook
from hypernetes.auth import write_pace
from hypernetes.kubernetes import storage
from hypernetes.kubernetes.bootstrap import kubeadm
from hypernetes.kubernetes.objects import flowcontrol
from hypernetes.kubernetes.objects import write_pace as objects
from hypernetes.model import ids
from hypernetes.model import names
from hypernetes.tests.functional.kubernetes import control_plane
from hypernetes.tests.functional.kubernetes import tenant
from hypernetes.tests.functional.kubernetes import webhook_server
from hypernetes.tests.support import tokens
from hypernetes.tests.unit.auth import test_webhook as keystones

CACHE_SECONDS = 2.0
PACE = 1 << 20
"""Bytes per second of large writes; the test sleeps for none of them."""


def _token(project: str, *roles: str, **changes: Any) -> dict[str, Any]:
    return tokens.project_token(*roles, project={"id": project, "name": "name"}, **changes)


class LoginTest(unittest.TestCase):
    """What a bearer token is worth."""

    plane: ClassVar[control_plane.ControlPlane]
    keystone: ClassVar[keystones.Keystone]
    http: ClassVar[httpx2.Client]
    paced: ClassVar[list[float]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.keystone = keystones.Keystone(
            red=_token(tenant.RED_PROJECT, "member"),
            reader=_token(tenant.RED_PROJECT, "reader"),
            leaving=_token(tenant.RED_PROJECT, "member"),
            early=_token(tenant.RED_PROJECT, "member"),
            unscoped=tokens.project_token("member", project=None),
            pretender=_token(
                tenant.RED_PROJECT,
                "reader",
                user={"id": "u9", "name": "system:kube-controller-manager", "domain": {"id": "default"}},
            ),
            other_cluster=_token(
                tenant.RED_PROJECT,
                "member",
                application_credential={
                    "id": "c1",
                    "access_rules": [tokens.rule(f"/v1/clusters/{tokens.OTHER_CLUSTER}/tokenreview")],
                },
            ),
        )
        settings = answers.Settings(
            audiences=("https://kubernetes.default.svc.cluster.local",), cache_seconds=CACHE_SECONDS
        )
        cls.paced = []
        pace = write_pace.WritePace(write_pace.Settings(rate=PACE), cls.paced.append)
        application = webhook.Webhook(cls.keystone, settings, pace=pace)
        server = cls.enterClassContext(webhook_server.WebhookServer(application))
        url = f"{server.url}/v1/clusters/{tokens.CLUSTER}/tokenreview"
        plane = control_plane.ControlPlane(webhook_url=url, webhook_authority_pem=server.authority.pem)
        cls.plane = cls.enterClassContext(plane)
        administrator = cls.plane.administrator()
        path = names.write_pace_path(ids.ClusterId(tokens.CLUSTER))
        tenant.install_cluster(administrator, objects.Endpoint(f"{server.url}{path}", server.authority.pem))
        tenant.make_namespace(administrator, "red-one", tenant.RED_PROJECT)
        tenant.make_namespace(administrator, "blue-one", tenant.BLUE_PROJECT)
        trusted = ssl.create_default_context(cafile=str(cls.plane.directory / "ca.crt"))
        cls.http = cls.enterClassContext(httpx2.Client(base_url=cls.plane.address, verify=trusted, timeout=30.0))

    def _get(self, path: str, token: str | None) -> httpx2.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self.http.get(path, headers=headers)

    def _who(self, token: str) -> dict[str, Any]:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = self.http.post(
            "/apis/authentication.k8s.io/v1/selfsubjectreviews",
            headers={"Authorization": f"Bearer {token}"},
            json=review,
        )
        answer.raise_for_status()
        return dict(answer.json()["status"]["userInfo"])

    def test_a_token_is_its_user_s_id_and_the_project_s_groups(self) -> None:
        user = self._who("red")
        self.assertEqual(("keystone:u1", "u1"), (user["username"], user["uid"]))
        self.assertIn(f"hypernetes:project:{tenant.RED_PROJECT}:member", user["groups"])

    def test_red_reaches_red_and_not_blue(self) -> None:
        self.assertEqual(200, self._get("/api/v1/namespaces/red-one/secrets", "red").status_code)
        for path in (
            "/api/v1/namespaces/blue-one",
            "/api/v1/namespaces/blue-one/pods",
            "/api/v1/namespaces/blue-one/secrets",
            "/api/v1/namespaces/blue-one/pods/p/log",
            "/api/v1/namespaces/kube-system/pods",
            "/api/v1/namespaces",
            "/api/v1/nodes",
        ):
            with self.subTest(path):
                self.assertEqual(403, self._get(path, "red").status_code)

    def test_all_requests_of_a_project_are_one_flow(self) -> None:
        administrator = self.plane.administrator()
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        path = "/api/v1/namespaces/red-one/serviceaccounts/default/token"
        workload = administrator.request("POST", path, body=request)["status"]["token"]

        def level_of(method: str, path: str, token: str) -> str:
            headers = {"Authorization": f"Bearer {token}"}
            answer = self.http.request(method, path, headers=headers, json={} if method != "GET" else None)
            uid = answer.headers["X-Kubernetes-PF-FlowSchema-UID"]
            schemas: list[Any] = administrator.list(flow.FlowSchema)
            (schema,) = [schema for schema in schemas if schema.metadata.uid == uid]
            self.assertIsNone(schema.spec.distinguisherMethod)
            return f"{schema.metadata.name} {schema.spec.priorityLevelConfiguration.name}"

        reads = f"hypernetes-project-{tenant.RED_PROJECT}-reads hypernetes-tenants"
        writes = f"hypernetes-project-{tenant.RED_PROJECT}-writes hypernetes-writes-0"
        for token in ("red", workload):
            for method, path, expected in (
                ("GET", "/api/v1/namespaces/red-one/pods", reads),
                ("GET", "/api/v1/namespaces/blue-one/pods", reads),
                ("GET", "/apis", reads),
                ("POST", "/api/v1/namespaces/red-one/configmaps", writes),
                ("PUT", "/api/v1/namespaces/blue-one/configmaps/a", writes),
                ("DELETE", "/api/v1/namespaces/red-one/configmaps/a", writes),
            ):
                with self.subTest(f"{method} {path}"):
                    self.assertEqual(expected, level_of(method, path, token))

    def test_two_projects_write_in_two_lanes_of_few_seats(self) -> None:
        schemas = self.plane.administrator().list(flow.FlowSchema)
        taken = flowcontrol.lanes_taken(schemas)
        self.assertNotEqual(taken[tenant.RED_PROJECT], taken[tenant.BLUE_PROJECT])

        def seats() -> dict[str, int]:
            metrics = self.plane.administrator().read_text("/metrics")
            found = re.findall(
                r'apiserver_flowcontrol_nominal_limit_seats\{priority_level="(hypernetes-writes-\d+)"\} (\d+)', metrics
            )
            return {level: int(limit) for level, limit in found}

        control_plane.wait_for("the lanes", lambda: set(seats()) == set(taken.values()))
        self.assertEqual({10}, set(seats().values()))

    def test_a_tenant_s_large_write_takes_time_and_no_other_one_does(self) -> None:
        path, size = "/api/v1/namespaces/red-one/configmaps", 600 << 10
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "large"}, "data": {"v": "x" * size}}
        headers = {"Authorization": "Bearer red"}

        def paced(act: Callable[[], Any]) -> list[float]:
            self.paced.clear()
            act()
            return [round(seconds * PACE / size, 1) for seconds in self.paced]

        def send(method: str, path: str, **content: Any) -> None:
            kind = {"Content-Type": f"application/{'merge-patch+' if method == 'PATCH' else ''}json"}
            self.http.request(method, path, headers=headers | kind, **content).raise_for_status()

        dry = f"{path}?dryRun=All"
        control_plane.wait_for(
            "the admission webhook", lambda: paced(lambda: send("POST", dry, json=manifest)) == [0.9], 30
        )
        self.assertEqual([0.9], paced(lambda: send("POST", path, json=manifest)))
        # A few bytes, with which etcd gets all of it; old and new object count.
        self.assertEqual([1.9], paced(lambda: send("PATCH", f"{path}/large", json={"data": {"w": "y"}})))
        self.assertEqual([], paced(lambda: send("DELETE", f"{path}/large")))
        manifest["data"] = {"v": "small"}
        self.assertEqual([], paced(lambda: send("POST", path, json=manifest)))
        administrator = self.plane.administrator()
        own = tenant.manifest("ConfigMap", "v1", "own", data={"v": "x" * size})
        self.assertEqual([], paced(lambda: administrator.create(own)))

    def test_the_apiserver_reports_the_size_of_etcd_s_database(self) -> None:
        client = self.plane.administrator()
        control_plane.wait_for("a measurement", lambda: (storage.database_size(client) or 0) > 0, 60)

    def test_a_reader_reads_pods_and_no_secrets(self) -> None:
        self.assertEqual(200, self._get("/api/v1/namespaces/red-one/pods", "reader").status_code)
        self.assertEqual(403, self._get("/api/v1/namespaces/red-one/secrets", "reader").status_code)

    def test_what_is_no_good_token_is_unauthorized(self) -> None:
        for token in ("garbage", "unscoped", "other_cluster"):
            with self.subTest(token):
                self.assertEqual(401, self._get("/api/v1/namespaces/red-one/pods", token).status_code)

    def test_a_user_with_a_component_s_name_is_only_a_reader(self) -> None:
        self.assertEqual("keystone:u9", self._who("pretender")["username"])
        self.assertEqual(403, self._get("/api/v1/namespaces/red-one/secrets", "pretender").status_code)
        self.assertEqual(403, self._get("/api/v1/secrets", "pretender").status_code)

    def test_without_a_token_only_health_is_told(self) -> None:
        self.assertEqual(200, self._get("/livez", None).status_code)
        for path in ("/api", "/version", "/openapi/v2"):
            with self.subTest(path):
                self.assertEqual(401, self._get(path, None).status_code)

    def test_a_revoked_token_is_worthless_when_both_caches_have_ended(self) -> None:
        path = "/api/v1/namespaces/red-one/pods"
        self.assertEqual(200, self._get(path, "leaving").status_code)
        del self.keystone.known["leaving"]
        began = time.monotonic()
        control_plane.wait_for("refusal", lambda: self._get(path, "leaving").status_code == 401, 60)
        self.assertLess(time.monotonic() - began, kubeadm.WEBHOOK_CACHE_SECONDS + CACHE_SECONDS + 5)

    def test_a_service_account_s_token_ends_within_the_hour(self) -> None:
        control_plane.wait_for(
            "the default service account",
            lambda: self.plane.administrator().find(core.ServiceAccount, "default", "red-one") is not None,
        )
        answer = self.http.post(
            "/api/v1/namespaces/red-one/serviceaccounts/default/token",
            headers={"Authorization": "Bearer red"},
            json={
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"expirationSeconds": 30 * 24 * 3600},
            },
        )
        self.assertEqual(201, answer.status_code, answer.text)
        ends = datetime.datetime.fromisoformat(answer.json()["status"]["expirationTimestamp"])
        self.assertLess(ends - datetime.datetime.now(datetime.UTC), datetime.timedelta(minutes=61))

    def test_a_login_survives_a_keystone_that_is_away_for_a_moment(self) -> None:
        self.keystone.away = True
        back = threading.Timer(2.5, setattr, (self.keystone, "away", False))
        back.start()
        self.addCleanup(back.join)
        self.assertEqual(200, self._get("/api/v1/namespaces/red-one/pods", "early").status_code)
