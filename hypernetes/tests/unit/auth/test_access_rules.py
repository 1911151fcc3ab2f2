# SPDX-License-Identifier: Apache-2.0
"""Whether an application credential may log in."""

import testtools

from hypernetes.auth import access_rules
from hypernetes.model import ids
from hypernetes.model import names
from hypernetes.tests.support import tokens

CLUSTER = ids.ClusterId(tokens.CLUSTER)
LOGIN = names.token_review_path(CLUSTER)


class AllowLoginTest(testtools.TestCase):
    """One rule that fits is enough; none is not."""

    def _allowed(self, *rules: dict[str, str]) -> bool:
        return access_rules.allow_login({"id": "c1", "access_rules": list(rules)}, CLUSTER)

    def test_what_is_not_restricted_is_allowed(self) -> None:
        self.assertTrue(access_rules.allow_login(None, CLUSTER))
        self.assertTrue(access_rules.allow_login({"id": "c1", "restricted": True}, CLUSTER))

    def test_an_empty_list_allows_nothing(self) -> None:
        self.assertFalse(self._allowed())

    def test_service_method_and_path_must_all_fit(self) -> None:
        self.assertTrue(self._allowed(tokens.rule(LOGIN)))
        self.assertFalse(self._allowed(tokens.rule(LOGIN, method="GET")))
        self.assertFalse(self._allowed(tokens.rule(LOGIN, service="identity")))
        self.assertFalse(self._allowed(tokens.rule("/v1/namespaces")))

    def test_one_of_several_rules_is_enough(self) -> None:
        self.assertTrue(self._allowed(tokens.rule("/v3/**", service="identity"), tokens.rule(LOGIN)))


class PathTest(testtools.TestCase):
    """Patterns as Keystone documents them."""

    def test_patterns(self) -> None:
        for pattern, fits in (
            (LOGIN, True),
            ("/v1/clusters/{cluster_id}/tokenreview", True),
            ("/v1/clusters/*/tokenreview", True),
            ("/v1/**", True),
            ("**", True),
            ("/v1/*", False),
            ("/v1/clusters/{a}", False),
            ("/v1/clusters/./tokenreview", False),
            (LOGIN + ".*", False),
            (LOGIN + "/", False),
            ("", False),
            ("/v1/{unbalanced", False),
        ):
            self.assertEqual(fits, access_rules.path_matches(LOGIN, pattern), pattern)
