# SPDX-License-Identifier: Apache-2.0
"""The real keystonemiddleware with a Keystone that is not there: its answers are put where it keeps them."""

import datetime
from typing import Any
from unittest import mock

import testtools
from keystonemiddleware import auth_token
from keystonemiddleware import opts
from keystonemiddleware.auth_token import _exceptions as keystone

from hypernetes.api import authentication
from hypernetes.model import errors
from hypernetes.tests.support import application
from hypernetes.tests.support import database as builders

_FETCH = "keystonemiddleware.auth_token.AuthProtocol.fetch_token"
_VERIFY = "keystonemiddleware.auth_token._identity.IdentityServer.verify_token"


def token(service: str = "kubernetes", rules: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """What Keystone answers for a project-scoped token of an application credential."""
    now = datetime.datetime.now(datetime.UTC)
    moment = "%Y-%m-%dT%H:%M:%S.000000Z"
    return {
        "token": {
            "methods": ["application_credential"],
            "issued_at": now.strftime(moment),
            "expires_at": (now + datetime.timedelta(hours=1)).strftime(moment),
            "user": {"id": "1" * 32, "name": "red", "domain": {"id": "default", "name": "Default"}},
            "project": {"id": builders.RED, "name": "red", "domain": {"id": "default", "name": "Default"}},
            "roles": [{"id": "r", "name": name} for name in ("member", "reader", "service")],
            "catalog": [{"type": service, "id": "s", "name": "hypernetes", "endpoints": []}],
            "application_credential": {"id": "a", "name": "kube", "restricted": True, "access_rules": rules},
        }
    }


class TokenCacheTest(testtools.TestCase):
    """How long the real keystonemiddleware trusts a validated token."""

    def test_a_removed_role_ends_within_the_promised_minute(self) -> None:
        seen: list[Any] = []

        def keystone_middleware(application_below: Any) -> Any:
            seen.append(auth_token.AuthProtocol(application_below, {"oslo_config_config": api.conf}))
            return application.authenticate(application_below)

        api = application.Application(authentication=keystone_middleware)
        self.useFixture(api)
        self.assertEqual(10, seen[0]._conf.get("token_cache_time"))


class AccessRulesTest(testtools.TestCase):
    """Access rules of application credentials."""

    def setUp(self) -> None:
        super().setUp()
        plain = builders.configuration("sqlite://")
        for group, options in opts.list_auth_token_opts():
            plain.register_opts(options, group=group)
        plain.set_override("www_authenticate_uri", "https://keystone.example", group="keystone_authtoken")
        self.api = self.useFixture(application.Application(authentication=authentication.keystone(plain)))

    def status(self, answer: dict[str, Any], method: str, path: str, **headers: str) -> int:
        """The status of a request with a token of which Keystone says ``answer``."""
        with mock.patch(_FETCH, return_value=answer):
            return int(self.api.request(method, path, "token", **headers).status_int)

    def test_a_token_without_rules_may_do_what_its_roles_may(self) -> None:
        self.assertEqual(200, self.status(token(), "GET", "/v1/namespaces"))

    def test_a_rule_for_the_path_opens_it(self) -> None:
        allowed = [{"service": "kubernetes", "method": "GET", "path": "/v1/**"}]
        self.assertEqual(200, self.status(token(rules=allowed), "GET", "/v1/namespaces"))

    def test_other_paths_and_methods_stay_closed(self) -> None:
        allowed = [{"service": "kubernetes", "method": "GET", "path": "/v1/clusters"}]
        self.assertEqual(401, self.status(token(rules=allowed), "GET", "/v1/namespaces"))
        self.assertEqual(401, self.status(token(rules=allowed), "DELETE", "/v1/clusters"))

    def test_no_rule_opens_nothing(self) -> None:
        self.assertEqual(401, self.status(token(rules=[]), "GET", "/v1/namespaces"))

    def test_a_rule_for_another_service_opens_nothing(self) -> None:
        foreign = [{"service": "network", "method": "GET", "path": "/v1/**"}]
        self.assertEqual(401, self.status(token(rules=foreign), "GET", "/v1/namespaces"))

    def test_a_service_token_does_not_lift_the_rules(self) -> None:
        closed = token(rules=[])
        self.assertEqual(401, self.status(closed, "GET", "/v1/namespaces", X_Service_Token="token"))

    def test_a_keystone_that_does_not_answer_is_named_with_a_remedy(self) -> None:
        silent = keystone.ServiceError("Keystone is away")
        with mock.patch(_VERIFY, side_effect=silent):
            answer = self.api.request("GET", "/v1/namespaces", "token")
        (error,) = answer.json["errors"]
        self.assertEqual((503, "10"), (answer.status_int, answer.headers["Retry-After"]))
        self.assertEqual(errors.Unavailable.code, error["code"])
        self.assertIn("Keystone", error["detail"])

    def test_identity_headers_of_the_client_mean_nothing(self) -> None:
        status = self.status(token(), "GET", "/v1/nodes", X_Roles="admin", X_Project_Id="c" * 32)
        self.assertEqual(403, status)
