# SPDX-License-Identifier: Apache-2.0
"""How the apiserver's answers become ours, with a transport that plays the apiserver."""

import json
from typing import Any
from unittest import mock

import httpx2
import testtools
from lightkube.models import meta_v1 as meta
from lightkube.resources import core_v1 as core

from hypernetes.kubernetes import client
from hypernetes.model import errors
from hypernetes.tests.functional.kubernetes import control_plane


class ClientTest(testtools.TestCase):
    """Requests and errors."""

    def setUp(self) -> None:
        super().setUp()
        authority = control_plane.CertificateAuthority("test")
        certificate, key = authority.issue("conductor")
        self.requests: list[httpx2.Request] = []
        self.answer: Any = httpx2.Response(200, json={"metadata": {"name": "a"}})
        patched = mock.patch.object(httpx2.HTTPTransport, "handle_request", self._handle)
        patched.start()
        self.addCleanup(patched.stop)
        self.client = client.ClusterClient("https://192.0.2.1:6443", authority.pem, certificate, key)
        self.addCleanup(self.client.close)

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        response: httpx2.Response = self.answer
        return response

    def _fails_with(self, status: int, message: str = "because") -> None:
        body = {"kind": "Status", "code": status, "message": message}
        self.answer = httpx2.Response(status, json=body)

    def test_each_status_becomes_the_error_that_says_whether_to_retry(self) -> None:
        for status, error in (
            (400, errors.Refused),
            (401, errors.Refused),
            (403, errors.Refused),
            (404, errors.NotFound),
            (409, errors.Unavailable),
            (422, errors.Refused),
            (429, errors.Unavailable),
            (500, errors.Unavailable),
            (503, errors.Unavailable),
        ):
            self._fails_with(status)
            self.assertRaises(error, self.client.get, core.Pod, "a", "ns")

    def test_a_name_that_exists_is_taken(self) -> None:
        self._fails_with(409)
        item = core.Namespace(metadata=meta.ObjectMeta(name="a"))
        self.assertRaises(errors.NameTaken, self.client.create, item)

    def test_an_apiserver_that_is_away_is_unavailable(self) -> None:
        self.answer = httpx2.ConnectError("refused")
        self.assertRaises(errors.Unavailable, self.client.get, core.Pod, "a", "ns")
        self.answer = httpx2.ReadTimeout("slow")
        self.assertRaises(errors.Unavailable, self.client.list, core.Pod, "ns")

    def test_what_is_not_there_can_be_looked_for(self) -> None:
        self._fails_with(404)
        self.assertIsNone(self.client.find(core.Pod, "a", "ns"))

    def test_a_watch_yields_events_and_its_errors_are_the_same(self) -> None:
        self.answer = httpx2.Response(200, content=b'{"type":"ADDED","object":{}}\n{"type":"BOOKMARK","object":{}}\n')
        self.assertEqual(["ADDED", "BOOKMARK"], [event["type"] for event in self.client.watch("/api/v1/x", "7")])
        sent = self.requests[-1].url.params
        self.assertEqual(("7", "true"), (sent["resourceVersion"], sent["allowWatchBookmarks"]))
        gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}
        self.answer = httpx2.Response(200, content=json.dumps(gone).encode() + b"\n")
        self.assertRaises(errors.Unavailable, list, self.client.watch("/api/v1/x", "7"))
        self._fails_with(403)
        self.assertRaises(errors.Refused, list, self.client.watch("/api/v1/x", "7"))
        self.answer = httpx2.ReadTimeout("silent")
        self.assertRaises(errors.Unavailable, list, self.client.watch("/api/v1/x", "7"))

    def test_a_request_of_no_type_is_sent_as_it_is_and_its_errors_are_the_same(self) -> None:
        self.answer = httpx2.Response(200, json={"items": []})
        answer = self.client.request("PATCH", "/api/v1/x", body={"a": 1}, content_type="application/merge-patch+json")
        self.assertEqual({"items": []}, answer)
        sent = self.requests[-1]
        self.assertEqual(("PATCH", "/api/v1/x", b'{"a": 1}'), (sent.method, sent.url.path, sent.read()))
        self.assertEqual("application/merge-patch+json", sent.headers["Content-Type"])
        for status, error in ((404, errors.NotFound), (403, errors.Refused), (503, errors.Unavailable)):
            self._fails_with(status)
            self.assertRaises(error, self.client.request, "GET", "/api/v1/x")

    def test_a_deletion_names_the_uid_it_is_meant_for(self) -> None:
        self.assertTrue(self.client.delete(core.Namespace, "web", uid="u-1"))
        (request,) = self.requests
        self.assertEqual("/api/v1/namespaces/web", request.url.path)
        self.assertEqual({"uid": "u-1"}, json.loads(request.content)["preconditions"])

    def test_another_object_of_the_name_is_left_alone(self) -> None:
        self._fails_with(409, "uid precondition failed")
        self.assertFalse(self.client.delete(core.Namespace, "web", uid="u-1"))

    def test_deleting_what_is_gone_is_no_error(self) -> None:
        self._fails_with(404)
        self.assertFalse(self.client.delete(core.Pod, "a", "ns"))

    def test_a_name_that_is_no_single_segment_of_a_path_is_not_sent(self) -> None:
        for bad in (
            "../../victim/services/http:web:80/proxy/", "", ".", "..", "a/b", "%2e%2e", "a%2Fb", "a?b", "a#b", "a\\b",
            "a b", "a\n", "\ud800", "ä", "a" * 254,
        ):  # fmt: skip
            meant = meta.ObjectMeta(name="a", namespace=bad)
            for act in (
                lambda bad=bad: self.client.get(core.Pod, bad, "ns"),
                lambda bad=bad: self.client.get(core.Pod, "a", bad),
                lambda bad=bad: self.client.delete(core.Pod, bad, "ns"),
                lambda bad=bad: self.client.delete(core.Pod, "a", bad),
                lambda bad=bad: self.client.list(core.Pod, bad),
                lambda bad=bad: self.client.apply(core.Namespace(metadata=meta.ObjectMeta(name=bad))),
                lambda meant=meant: self.client.apply(core.Pod(metadata=meant)),
                lambda meant=meant: self.client.create(core.Pod(metadata=meant)),
                lambda meant=meant: self.client.dry_run_create(core.Pod(metadata=meant)),
            ):
                self.assertRaises(errors.NotFound, act)
            self.assertIsNone(self.client.find(core.Pod, bad, "ns"))
        self.assertEqual([], self.requests)

    def test_names_of_roles_and_of_all_namespaces_are_sent(self) -> None:
        self.client.get(core.Namespace, "hypernetes:edit.v1-a")
        self.answer = httpx2.Response(200, json={"metadata": {}, "items": []})
        self.assertEqual([], self.client.list(core.Pod, client.ALL_NAMESPACES))
        paths = [request.url.path for request in self.requests]
        self.assertEqual(["/api/v1/namespaces/hypernetes:edit.v1-a", "/api/v1/pods"], paths)

    def test_an_apply_names_its_field_manager(self) -> None:
        self.client.apply(core.Namespace(metadata=meta.ObjectMeta(name="a")))
        self.assertEqual("hypernetes", self.requests[0].url.params["fieldManager"])

    def test_readiness_is_what_the_apiserver_says(self) -> None:
        self.assertTrue(self.client.is_ready())
        self.answer = httpx2.Response(500)
        self.assertFalse(self.client.is_ready())
        self.answer = httpx2.ConnectError("refused")
        self.assertFalse(self.client.is_ready())
