# SPDX-License-Identifier: Apache-2.0
"""What the panels share: the API with the user's token, its errors, the policies, and what the apiserver returns."""

import io
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock
from urllib import error as urllib_error

import testtools
import yaml
from horizon import exceptions
from openstack import exceptions as sdk
from openstack_auth import policy

from hypernetes import dashboard
from hypernetes import policies
from hypernetes.dashboard import api
from hypernetes.dashboard import apiserver
from hypernetes.tests.support import served_api
from hypernetes.tests.support.fakes import openstack_cli as cloud
from hypernetes.tests.unit.dashboard import base

POLICIES = Path(dashboard.__file__).parent / "policies"


def request(url: str, token: str) -> Any:
    """Return what a view has of its request: the user, the token and the catalog."""
    endpoint = {"region": "RegionOne", "region_id": "RegionOne", "interface": "public", "url": url}
    catalog = [{"type": "kubernetes", "name": "hypernetes", "endpoints": [endpoint]}]
    user = SimpleNamespace(token=SimpleNamespace(id=token), service_catalog=catalog, services_region="RegionOne")
    return SimpleNamespace(user=user)


class TokenTest(testtools.TestCase):
    """The real API over HTTP."""

    def test_the_user_s_own_token_is_used(self) -> None:
        served = self.useFixture(served_api.ServedApi())
        for url in (served.url, f"{served.url}/v1/"):
            operator, red = (api.kubernetes(request(url, who)) for who in ("operator", "red_member"))
            self.assertEqual([], list(operator.nodes()))
            self.assertRaises(sdk.ForbiddenException, list, red.nodes())

    def test_each_of_its_errors_has_one_of_horizon_s(self) -> None:
        served = self.useFixture(served_api.ServedApi())
        red = api.kubernetes(request(served.url, "red_member"))
        for call, expected in (
            (lambda: red.get_namespace(base.NAMESPACE_ID), exceptions.NotFound),
            (lambda: list(red.nodes()), exceptions.BadRequest),
            (lambda: red.create_namespace(name="web", cluster="none"), exceptions.BadRequest),
            (lambda: list(api.kubernetes(request(served.url, "nobody")).namespaces()), exceptions.NotAuthorized),
            (lambda: list(api.kubernetes(request("http://127.0.0.1:9", "any")).namespaces()), exceptions.NotAvailable),
        ):
            with testtools.ExpectedException(expected), api.translated():
                call()


class PoliciesTest(testtools.TestCase):
    def test_the_rules_are_those_of_the_api(self) -> None:
        rules = [
            {
                "name": rule.name,
                "check_str": rule.check_str,
                "description": rule.description,
                "operations": [dict(one) for one in getattr(rule, "operations", [])],
                "scope_types": rule.scope_types,
            }
            for rule in policies.list_rules()
        ]
        self.assertEqual(rules, yaml.safe_load((POLICIES / "defaults.yaml").read_text()))

    def test_every_rule_that_a_panel_names_exists(self) -> None:
        names = {rule.name for rule in policies.list_rules()}
        package = Path(dashboard.__file__).parent
        text = "".join(path.read_text() for path in package.rglob("*.py"))
        named = set(re.findall(r'"(kubernetes:[a-z_:]+)"', text))
        self.assertEqual(set(), named - names)
        self.assertGreater(len(named), 5)


class PolicyTest(base.PanelTest):
    """A reader is not shown what the API would refuse."""

    role_names: tuple[str, ...] = ("reader",)

    def test_a_reader_has_no_button_to_create_or_delete(self) -> None:
        self.service.items.append(base.namespace())
        settings: dict[str, Any] = {}
        snippet = POLICIES.parent / "local_settings" / "_1380_hypernetes_dashboard.py"
        exec(compile(snippet.read_text(), str(snippet), "exec"), settings)
        check = {"POLICY_CHECK_FUNCTION": "openstack_auth.policy.check"}
        known = {name: settings[name] for name in ("POLICY_FILES", "DEFAULT_POLICY_FILES")}
        self.addCleanup(policy.reset)
        for role_names, shown in ((("reader",), False), (("member", "reader"), True)):
            self.role_names = role_names
            self._setup_user()
            policy.reset()
            with self.settings(**check, **known):
                response = self.client.get("/project/kubernetes_namespaces/")
            text = response.content.decode()
            self.assertEqual((shown, shown), ("Create Namespace" in text, "namespaces__delete__" in text), role_names)


POD = {
    "metadata": {"uid": "p1", "name": "one"},
    "spec": {
        "nodeName": "node1",
        "runtimeClassName": "hyper",
        "overhead": {"memory": "200Mi"},
        "containers": [{}, {}],
    },
    "status": {
        "phase": "Running",
        "podIP": "10.1.0.5",
        "containerStatuses": [
            {"ready": True, "restartCount": 2, "state": {"running": {}}},
            {"ready": False, "restartCount": 1, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
        ],
    },
}


class ApiserverTest(testtools.TestCase):
    """Requests to an apiserver, without one."""

    def items(self, *items: Any) -> Any:
        answer = io.BytesIO(json.dumps({"items": items}).encode())
        context = mock.patch("ssl.create_default_context")
        context.start()
        self.addCleanup(context.stop)
        opened = mock.patch("urllib.request.OpenerDirector.open", return_value=answer)
        self.addCleanup(opened.stop)
        return opened.start()

    def test_pods_are_summed_up(self) -> None:
        opened = self.items(POD, {**POD, "metadata": {"uid": "p2", "name": "two", "deletionTimestamp": "now"}})
        one, two = apiserver.pods(cloud.cluster(), "token", "we/b")
        self.assertEqual(
            ("CrashLoopBackOff", "1/2", 3, "hyper (+200Mi)"), (one.status, one.ready, one.restarts, one.machine)
        )
        self.assertEqual("Terminating", two.status)
        asked = opened.call_args.args[0]
        self.assertEqual("Bearer token", asked.get_header("Authorization"))
        self.assertIn("/api/v1/namespaces/we%2Fb/pods?", asked.full_url)

    def test_the_newest_event_comes_first(self) -> None:
        def event(uid: str, **facts: Any) -> dict[str, Any]:
            return {"metadata": {"uid": uid, "creationTimestamp": "2026-11-28T09:00:00Z"}, **facts}

        self.items(
            event("old", lastTimestamp="2026-11-28T10:00:00Z", count=4),
            event("new", eventTime="2026-11-28T11:00:00Z", involvedObject={"kind": "Pod", "name": "one"}),
            event("oldest"),
        )
        found = apiserver.events(cloud.cluster(), "token", "web")
        self.assertEqual(["new", "old", "oldest"], [one.id for one in found])
        self.assertEqual(("Pod/one", 4), (found[0].object, found[1].count))

    def test_a_refusal_is_in_the_apiserver_s_words(self) -> None:
        opened = self.items()
        body = io.BytesIO(b'{"message": "pods is forbidden"}')
        opened.side_effect = urllib_error.HTTPError("url", 403, "Forbidden", {}, body)  # type: ignore[arg-type]
        error = self.assertRaises(apiserver.ApiserverSilent, apiserver.pods, cloud.cluster(), "token", "web")
        self.assertEqual("pods is forbidden", str(error))

    def test_no_token_is_sent_without_tls(self) -> None:
        opened = self.items()
        for address in ("http://198.51.100.11:6443", None):
            cluster = cloud.cluster(api_address=address)
            self.assertRaises(apiserver.ApiserverSilent, apiserver.pods, cluster, "token", "web")
        opened.assert_not_called()

    def test_a_redirection_is_not_followed(self) -> None:
        handler = apiserver._NoRedirection()
        self.assertIsNone(handler.redirect_request("request", None, 302, "Found", {}, "https://elsewhere.example"))
