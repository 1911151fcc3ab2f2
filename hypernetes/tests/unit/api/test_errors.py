# SPDX-License-Identifier: Apache-2.0
"""What a client gets when something is wrong with its request, or with us."""

import inspect
import io
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import testtools
import webob

import hypernetes
from hypernetes.api import context
from hypernetes.api import errors as api_errors
from hypernetes.api import microversion
from hypernetes.model import errors
from hypernetes.openstack import failures as openstack_failures
from hypernetes.rpc import failures as rpc_failures
from hypernetes.tests.support import application

ERROR_MODULES = (errors, context, microversion, rpc_failures, openstack_failures)


def _errors(module: ModuleType) -> Iterator[type[errors.HypernetesError]]:
    for _, kind in inspect.getmembers(module, inspect.isclass):
        if issubclass(kind, errors.HypernetesError):
            yield kind


class ErrorsTest(testtools.TestCase):
    """The form of errors, and what leads to which."""

    def setUp(self) -> None:
        super().setUp()
        self.api = self.useFixture(application.Application())

    def error(self, status: int, *request: Any, **headers: str) -> dict[str, Any]:
        """The one error in the answer to a request, whose status is as expected."""
        answer = self.api.request(*request, **headers)
        self.assertEqual(status, answer.status_int, answer.text)
        self.assertEqual("application/json", answer.content_type)
        (error,) = answer.json_body["errors"]
        self.assertEqual(status, error["status"])
        self.assertEqual(answer.headers["x-openstack-request-id"], error["request_id"])
        for key in ("code", "title", "detail"):
            self.assertNotEqual("", error[key])
        return dict(error)

    def test_a_missing_token_is_401_and_says_where_to_get_one(self) -> None:
        self.error(401, "GET", "/v1/clusters")
        self.assertIn("Keystone uri", self.api.request("GET", "/v1/clusters").headers["WWW-Authenticate"])

    def test_an_unknown_path_is_404(self) -> None:
        self.assertEqual("hypernetes.path.not_found", self.error(404, "GET", "/v1/pods", "red_reader")["code"])

    def test_an_unknown_method_is_405_and_says_which_are_known(self) -> None:
        self.error(405, "PUT", "/v1/clusters", "operator")
        self.assertEqual("GET, POST", self.api.request("PUT", "/v1/clusters", "operator").headers["Allow"])

    def test_a_client_that_wants_no_json_is_told_406(self) -> None:
        self.error(406, "GET", "/v1/clusters", "operator", Accept="text/plain")
        self.error(406, "GET", "/v1/clusters", "operator", Accept="text/html,application/xml")

    def test_a_body_that_is_not_called_json_is_415(self) -> None:
        self.error(415, "POST", "/v1/nodes", "operator", b"name=x", Content_Type="application/x-www-form-urlencoded")
        self.error(415, "POST", "/v1/nodes", "operator")

    def test_a_body_that_is_not_json_is_400(self) -> None:
        for body in (b"{", b"\xff", b'{"name": NaN}', b"[" * 60000, b"[]", b"null", b'"x"'):
            self.error(400, "POST", "/v1/nodes", "operator", body)

    def test_a_body_where_none_belongs_is_400(self) -> None:
        self.error(400, "DELETE", "/v1/nodes/x", "operator", {"force": True})

    def test_an_unknown_field_is_400_and_named(self) -> None:
        error = self.error(400, "POST", "/v1/nodes", "operator", {"name": "node1", "token_hash": "x"})
        self.assertIn("token_hash", error["detail"])

    def test_a_body_that_is_too_large_is_413(self) -> None:
        self.error(413, "POST", "/v1/nodes", "operator", b" " * (64 * 1024 + 1))

    def test_the_body_of_a_refused_request_is_taken_in_so_that_the_client_hears_the_answer(self) -> None:
        source = io.BytesIO(b"x" * 40000)
        request = webob.Request.blank("/v1/nodes", method="POST", content_length=40000)
        request.environ["wsgi.input"] = source
        self.assertEqual(401, request.get_response(self.api.wsgi).status_int)
        self.assertEqual(40000, source.tell())

    def test_the_text_of_an_error_is_bounded(self) -> None:
        error = self.error(400, "POST", "/v1/nodes", "operator", {"name": "x" * 60000})
        self.assertLess(len(error["detail"]), 1000)

    def test_an_unknown_query_parameter_is_400_and_named(self) -> None:
        self.assertIn("color", self.error(400, "GET", "/v1/clusters?color=red", "operator")["detail"])
        self.error(400, "GET", "/?color=red")

    def test_names_that_a_method_has_are_no_query_parameters(self) -> None:
        for name in ("self", "request", "_response", "_parameters", "call"):
            self.error(400, "GET", f"/v1/clusters?{name}=1", "operator")

    def test_a_parameter_given_twice_is_400(self) -> None:
        self.error(400, "GET", "/v1/clusters?limit=1&limit=2", "operator")

    def test_what_is_not_utf8_is_400(self) -> None:
        self.error(400, "GET", "/v1/%ff", "operator")
        self.error(400, "GET", "/v1/clusters?name=%ff", "operator")

    def test_a_version_we_do_not_speak_is_406_and_says_which_we_do(self) -> None:
        error = self.error(406, "GET", "/v1/clusters", "operator", OpenStack_API_Version="kubernetes 1.99")
        self.assertEqual(("1.0", "1.0"), (error["min_version"], error["max_version"]))

    def test_a_version_that_is_none_is_400(self) -> None:
        for value in ("kubernetes x", "kubernetes 1", "kubernetes 1.-1", "kubernetes 1.0.0"):
            self.error(400, "GET", "/v1/clusters", "operator", OpenStack_API_Version=value)

    def test_each_error_links_to_the_section_of_its_code(self) -> None:
        error = self.error(404, "GET", "/v1/pods", "red_reader")
        self.assertEqual(
            "https://docs.openstack.org/hypernetes/latest/user/errors.html#hypernetes-path-not-found",
            error["links"][0]["href"],
        )

    def test_every_code_has_a_section_in_the_documentation(self) -> None:
        page = (Path(hypernetes.__file__).parent.parent / "doc/source/user/errors.rst").read_text()
        sections = set(re.findall(r"^(hypernetes\.[a-z_.]+)\n-+$", page, re.MULTILINE))
        codes = {kind.code for module in ERROR_MODULES for kind in _errors(module)}
        self.assertLess(20, len(codes))
        self.assertEqual(codes | set(api_errors.CODES.values()) | {api_errors.OTHER_CODE}, sections)

    def test_a_name_that_nothing_can_have_finds_nothing(self) -> None:
        for name in ("UPPER", "a%20b", "%2e%2e", "x" * 255):
            for collection in ("namespaces", "clusters", "nodes"):
                response = self.api.request("GET", f"/v1/{collection}?name={name}", "operator")
                self.assertEqual((200, []), (response.status_int, response.json_body[collection]))
        self.error(404, "GET", "/v1/namespaces/UPPER", "operator")
        self.error(400, "GET", "/v1/namespaces?name=%00", "operator")
        self.error(404, "GET", "/v1/namespaces/%00", "operator")

    def test_policy_comes_before_the_body(self) -> None:
        self.error(403, "POST", "/v1/nodes", "red_manager", {"nonsense": 1})

    def test_a_database_that_is_gone_is_503(self) -> None:
        with mock.patch.object(
            self.api.database.clusters,
            "list",
            side_effect=errors.Unavailable(service="The database", reason="it cannot be reached"),
        ):
            self.error(503, "GET", "/v1/clusters", "operator")

    def test_a_fault_of_ours_is_500_and_tells_nothing_of_itself(self) -> None:
        with mock.patch.object(self.api.database.clusters, "list", side_effect=RuntimeError("password=x")):
            error = self.error(500, "GET", "/v1/clusters", "operator")
        self.assertNotIn("password", error["detail"])

    def test_an_answer_that_breaks_its_schema_is_500_where_answers_are_checked(self) -> None:
        broken = {"clusters": [{"id": "not an id"}], "links": []}
        with mock.patch("hypernetes.api.paging.page", return_value=broken):
            self.error(500, "GET", "/v1/clusters", "operator")
