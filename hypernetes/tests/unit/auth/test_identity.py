# SPDX-License-Identifier: Apache-2.0
"""Who a Keystone token is in a cluster."""

from typing import Any

import testtools

from hypernetes.auth import identity
from hypernetes.model import ids
from hypernetes.tests.support import tokens

CLUSTER = ids.ClusterId(tokens.CLUSTER)


def _user(token: dict[str, Any]) -> identity.User:
    return identity.user_of(token, CLUSTER)


class UserTest(testtools.TestCase):
    """From token to user."""

    def test_a_user_is_known_by_id_alone(self) -> None:
        user = _user(tokens.project_token("member"))
        self.assertEqual(("keystone:u1", "u1"), (user.name, user.uid))

    def test_a_name_chosen_to_look_important_is_only_told(self) -> None:
        user = _user(tokens.project_token("member"))
        decisive = [user.name, user.uid, *user.groups]
        self.assertFalse([text for text in decisive if "system:" in text])
        self.assertEqual(("system:kube-controller-manager",), user.extra["hypernetes.openstack.org/user-name"])

    def test_groups_are_of_the_strongest_role_and_those_it_implies(self) -> None:
        for roles, held in (
            (("reader",), ["reader"]),
            (("member",), ["reader", "member"]),
            (("manager", "reader"), ["reader", "member", "manager"]),
            (("member", "load-balancer_member"), ["reader", "member"]),
        ):
            user = _user(tokens.project_token(*roles))
            self.assertEqual(tuple(f"hypernetes:project:red:{role}" for role in held), user.groups[:-1])

    def test_one_group_is_of_the_user_in_this_project(self) -> None:
        """What is bound to it ends with the role; what is bound to the user's name would not."""
        self.assertEqual("hypernetes:project:red:user:u1", _user(tokens.project_token("reader")).groups[-1])

    def test_an_administrator_is_the_operator_too(self) -> None:
        for role, operator in (("Admin", True), ("manager", False), ("member", False)):
            groups = _user(tokens.project_token(role)).groups
            self.assertEqual(operator, "hypernetes:operator" in groups, role)
            self.assertIn("hypernetes:project:red:member", groups)

    def test_a_token_without_a_role_that_means_something_is_refused(self) -> None:
        self.assertRaises(identity.TokenRefused, _user, tokens.project_token("load-balancer_member"))
        self.assertRaises(identity.TokenRefused, _user, tokens.project_token())

    def test_only_a_scope_of_a_project_is_taken(self) -> None:
        for changes in (
            {"project": None},
            {"project": None, "domain": {"id": "default"}},
            {"project": None, "system": {"all": True}},
            {"system": {"all": True}},
            {"is_domain": True},
        ):
            self.assertRaises(identity.TokenRefused, _user, tokens.project_token("admin", **changes))

    def test_access_rules_are_judged(self) -> None:
        allowed = {"id": "c1", "access_rules": [tokens.rule(f"/v1/clusters/{CLUSTER}/tokenreview")]}
        self.assertEqual("u1", _user(tokens.project_token("member", application_credential=allowed)).uid)
        other = {"id": "c1", "access_rules": [tokens.rule(f"/v1/clusters/{tokens.OTHER_CLUSTER}/tokenreview")]}
        self.assertRaises(identity.TokenRefused, _user, tokens.project_token("member", application_credential=other))

    def test_an_answer_of_another_form_is_an_error(self) -> None:
        for user in ({"id": ""}, {"id": "a\nb"}, {"id": "x" * 65}, {"id": 1}):
            self.assertRaises(ValueError, _user, tokens.project_token("member", user=user))
        self.assertRaises(KeyError, _user, tokens.project_token("member", expires_at=None))
