# SPDX-License-Identifier: Apache-2.0
"""What is left of a user's access after the user's last role in a project was removed, and for how long.

Six ways are probed each second, beginning with the removal: the user's own token at the apiserver and at the API, a
token of another project with a role binding, a service account, an open exec and an open watch. The page for users
(``doc/source/user/index.rst``) has the limits.
"""

import base64
import contextlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from hypernetes.standalone import addresses
from hypernetes.tests.isolation import base

PROMISED_SECONDS = 60
WINDOW_SECONDS = float(os.environ.get("HYPERNETES_REVOCATION_SECONDS", "90"))
"""How long is probed. An open watch lives for up to ten minutes: set it to 700 to see its end."""
TOKEN_SECONDS = 3600


class Probe(threading.Thread):
    """Asks once a second whether a way still works; notes when it last did."""

    def __init__(self, works: Callable[[], bool]) -> None:
        super().__init__(daemon=True)
        self._works = works
        self.last = 0.0
        """Seconds after the removal."""
        self.began = 0.0
        self.asked = 0

    def run(self) -> None:
        while (elapsed := time.monotonic() - self.began) < WINDOW_SECONDS:
            self.asked += 1
            with contextlib.suppress(requests.RequestException):
                if self._works():
                    self.last = elapsed
            time.sleep(max(0.0, 1.0 - (time.monotonic() - self.began - elapsed)))


class RevocationTest(base.IsolationTest):
    red: base.Namespace
    cluster: dict[str, Any]
    bundle: Path

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.red = cls.namespace("red", "left").wait_active()
        cls.red.start_pod("long")
        cls.red.wait_running("long")
        clusters = base.rest("red", "GET", "/v1/clusters").json()["clusters"]
        cls.cluster = next(c for c in clusters if c["name"] == base.CLUSTER)
        cls.bundle = base.LAYOUT.run / "isolation-revocation-ca.crt"
        cls.bundle.write_text(cls.cluster["ca_certificate"])

    def setUp(self) -> None:
        super().setUp()
        admin = base.cloud("admin")
        self.project = admin.identity.find_project("red", ignore_missing=False)
        other = admin.identity.create_project(name=f"other-{uuid.uuid4().hex[:6]}", domain_id="default")
        self.addCleanup(admin.identity.delete_project, other)
        password = uuid.uuid4().hex
        self.user = admin.identity.create_user(
            name=f"leaver-{uuid.uuid4().hex[:6]}", password=password, domain_id="default"
        )
        self.addCleanup(admin.identity.delete_user, self.user)
        self.role = admin.identity.find_role("manager", ignore_missing=False)
        reader = admin.identity.find_role("reader", ignore_missing=False)
        admin.identity.assign_project_role_to_user(self.project, self.user, self.role)
        admin.identity.assign_project_role_to_user(other, self.user, reader)
        self.own = base.password_token(self.user.id, password, self.project.id)
        self.foreign = base.password_token(self.user.id, password, other.id)

    def ask(self, token: str, method: str = "GET", path: str = "secrets", **options: Any) -> requests.Response:
        """A request of the token's holder in red's namespace."""
        group = "/apis/rbac.authorization.k8s.io/v1" if path == "rolebindings" else "/api/v1"
        url = f"{self.cluster['api_address']}{group}/namespaces/{self.red.name}/{path}"
        headers = {"Authorization": f"Bearer {token}"}
        options = {"timeout": 30} | options
        return requests.request(method, url, headers=headers, verify=str(self.bundle), **options)

    def bind(self, name: str, *subjects: dict[str, str]) -> int:
        """Bind subjects to the role of managers, as the user; the status."""
        body = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "hypernetes:admin"},
            "subjects": list(subjects),
        }
        return self.ask(self.own, "POST", "rolebindings", json=body).status_code

    def request_token(self, token: str) -> requests.Response:
        """Ask for a token of the namespace's service account."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        return self.ask(token, "POST", "serviceaccounts/default/token", json=body)

    @contextlib.contextmanager
    def open_exec(self) -> Iterator[Callable[[], bool]]:
        """An exec of the user's that writes twice a second; whether it wrote within the last three."""
        last = [0.0]
        words = ["--server", self.cluster["api_address"], "--certificate-authority", str(self.bundle)]
        words += ["--token", self.own, "-n", self.red.name, "exec", "long", "--"]
        script = "while true; do echo x; sleep 0.5; done"
        environment = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
        with subprocess.Popen(
            ["kubectl", "--kubeconfig", "/dev/null", *words, "sh", "-c", script],
            stdout=subprocess.PIPE,
            env=environment | {"PATH": base.settings("red")["PATH"]},
        ) as process:

            def read() -> None:
                assert process.stdout is not None
                for _ in process.stdout:
                    last[0] = time.monotonic()

            threading.Thread(target=read, daemon=True).start()
            base.eventually(lambda: last[0] > 0, "the exec's first line", timeout=60)
            try:
                yield lambda: time.monotonic() - last[0] < 3
            finally:
                process.kill()

    @contextlib.contextmanager
    def open_watch(self) -> Iterator[Callable[[], bool]]:
        """A watch of the user's on the namespace's ConfigMaps; whether it is still open."""
        address = urllib.parse.urlsplit(self.cluster["api_address"])
        trusted = ssl.create_default_context(cafile=str(self.bundle))
        connection = http.client.HTTPSConnection(address.netloc, timeout=30, context=trusted)
        connection.connect()
        stream = connection.sock
        path = f"/api/v1/namespaces/{self.red.name}/configmaps?watch=1"
        connection.request("GET", path, headers={"Authorization": f"Bearer {self.own}"})
        answer = connection.getresponse()
        self.assertEqual(200, answer.status)
        # Nothing may happen for a while: so reading has no time limit.
        stream.settimeout(None)
        ended = threading.Event()

        def read() -> None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                while answer.readline():
                    pass
            ended.set()

        threading.Thread(target=read, daemon=True).start()
        try:
            yield lambda: not ended.is_set()
        finally:
            # A close would wait for the reader, and so for the end of the watch.
            with contextlib.suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)

    def test_what_a_removed_role_leaves(self) -> None:
        by_name = self.bind("by-name", {"kind": "User", "name": f"keystone:{self.user.id}"})
        group = f"hypernetes:project:{self.project.id}:user:{self.user.id}"
        # The positive controls: the user may bind, and what is bound works.
        self.assertEqual(201, self.bind("by-group", {"kind": "Group", "name": group}))
        account = {"kind": "ServiceAccount", "name": "default", "namespace": self.red.name}
        self.assertEqual(201, self.bind("account", account))
        minted = self.request_token(self.own)
        self.assertEqual(201, minted.status_code)
        workload = minted.json()["status"]["token"]
        claims = json.loads(base64.urlsafe_b64decode(workload.split(".")[1] + "=="))
        with self.open_exec() as exec_lives, self.open_watch() as watch_lives:
            ways: dict[str, tuple[Callable[[], bool], float]] = {
                "own token at the apiserver": (lambda: self.ask(self.own).ok, PROMISED_SECONDS),
                "own token at the API": (lambda: self._api(self.own), PROMISED_SECONDS),
                "another project's token, by a role binding": (lambda: self.ask(self.foreign).ok, 0),
                "service account's token": (lambda: self.ask(workload).ok, TOKEN_SECONDS),
                "service account requests a token": (lambda: self.request_token(workload).ok, 0),
                "open exec": (exec_lives, float("inf")),
                "open watch": (watch_lives, 2 * 300 + 30),
            }
            for name in ("own token at the apiserver", "own token at the API", "service account's token"):
                self.assertTrue(ways[name][0](), f"{name} does not work before the removal")
            probes = {name: Probe(works) for name, (works, _) in ways.items()}
            base.cloud("admin").identity.unassign_project_role_from_user(self.project, self.user, self.role)
            began = time.monotonic()
            for probe in probes.values():
                probe.began = began
                probe.start()
            for probe in probes.values():
                probe.join()
        for name, probe in probes.items():
            still = ", still at the end" if probe.last > WINDOW_SECONDS - 5 else ""
            print(f"{name}: lived {probe.last:.0f} s{still} ({probe.asked} probes)")
        print(f"binding to the user's name: {by_name}; the token's life {claims['exp'] - claims['iat']} s")
        for name, (_, limit) in ways.items():
            with self.subTest(way=name):
                self.assertLessEqual(probes[name].last, limit)
        self.assertLessEqual(claims["exp"] - claims["iat"], TOKEN_SECONDS)
        self.assertIn(by_name, (403, 422))

    def _api(self, token: str) -> bool:
        headers = {"X-Auth-Token": token}
        verify = str(base.LAYOUT.ca_certificate)
        url = f"{addresses.API_URL}/v1/namespaces"
        return requests.get(url, headers=headers, verify=verify, timeout=30).ok
