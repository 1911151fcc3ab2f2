# SPDX-License-Identifier: Apache-2.0
"""Which labels tenants may set on their namespaces."""

from typing import Any

import testtools

from hypernetes.api.v1 import namespace_labels
from hypernetes.conf import api as conf
from hypernetes.model import labels
from hypernetes.tests.support import application
from hypernetes.tests.support import database as builders

DEFAULT = next(option.default for option in conf.OPTIONS if option.name == "namespace_labels")


class AllowListTest(testtools.TestCase):
    def test_by_default_keys_without_a_prefix_and_the_recommended_ones_are_allowed(self) -> None:
        for key, allowed in (
            ("team", True),
            ("istio-injection", True),
            ("app.kubernetes.io/part-of", True),
            ("pod-security.kubernetes.io/enforce", False),
            ("admission.gatekeeper.sh/ignore", False),
            ("control-plane.example.com/team", False),
            ("kubernetes.io/metadata.name", False),
            (labels.PROJECT, False),
            ("app.kubernetes.io.example.com/team", False),
        ):
            self.assertEqual(allowed, namespace_labels.is_allowed(key, DEFAULT), key)

    def test_no_configuration_allows_the_reserved_ones(self) -> None:
        for key in (labels.PROJECT, labels.NAMESPACE, labels.NETWORK, "kubernetes.io/metadata.name"):
            for pattern in ("*/*", key, f"{labels.PREFIX}*"):
                self.assertFalse(namespace_labels.is_allowed(key, [pattern]), (key, pattern))
        self.assertTrue(namespace_labels.is_allowed("example.com/team", ["*/*"]))

    def test_a_pattern_is_matched_as_a_whole_and_by_letter(self) -> None:
        self.assertFalse(namespace_labels.is_allowed("team2", ["team"]))
        self.assertFalse(namespace_labels.is_allowed("appXkubernetes.io/name", ["app.kubernetes.io/*"]))


class RequestTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.api = self.useFixture(application.Application())
        self.namespace = builders.namespace(self.api.database, builders.cluster(self.api.database).id)

    def update(self, expected: int = 200, **body: Any) -> Any:
        answer = self.api.request("PATCH", f"/v1/namespaces/{self.namespace.id}", "red_member", body)
        self.assertEqual(expected, answer.status_int, answer.text)
        return answer.json

    def test_changed_labels_are_pending_and_the_conductors_are_notified(self) -> None:
        self.update(description="The shop")
        self.assertFalse(self.api.database.namespaces.get(self.namespace.id).labels_pending)
        self.update(labels={"team": "shop"})
        self.assertTrue(self.api.database.namespaces.get(self.namespace.id).labels_pending)
        self.assertEqual([self.namespace.id] * 2, [wake.id for wake in self.api.conductor.woken])

    def test_a_label_that_is_not_allowed_any_more_is_kept_and_can_be_removed(self) -> None:
        self.update(labels={"team": "shop"})
        self.api.conf.set_override("namespace_labels", ["stage"], group="api")
        self.update(400, labels={"team": "other"})
        self.assertEqual({"team": "shop", "stage": "test"}, self.update(labels={"stage": "test"})["labels"])
        self.assertEqual({"stage": "test"}, self.update(labels={"team": None})["labels"])

    def test_a_namespace_has_a_bounded_number_of_labels(self) -> None:
        self.update(labels={f"n{number}": "" for number in range(namespace_labels.MOST)})
        self.assertIn("at most 32", self.update(400, labels={"more": ""})["errors"][0]["detail"])

    def test_what_kubernetes_takes_for_no_label_is_refused(self) -> None:
        for key, value in (
            ("", "x"),
            ("a b", "x"),
            ("-a", "x"),
            ("a" * 64, "x"),
            ("/a", "x"),
            ("UPPER.io/a", "x"),
            ("a\n", "x"),
            ("a/b/c", "x"),
            ("a", "b\n"),
            ("a", "b c"),
            ("a", "x" * 64),
            ("a", "-"),
        ):
            self.update(400, labels={key: value})

    def test_a_new_namespace_may_have_both(self) -> None:
        body = {"name": "api", "cluster": "demo", "description": "An API", "labels": {"team": "shop"}}
        answer = self.api.request("POST", "/v1/namespaces", "red_member", body)
        self.assertEqual(("An API", {"team": "shop"}), (answer.json["description"], answer.json["labels"]))
        body |= {"name": "b", "labels": {labels.PROJECT: "x"}}
        self.assertEqual(400, self.api.request("POST", "/v1/namespaces", "red_member", body).status_int)
