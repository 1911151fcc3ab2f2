# SPDX-License-Identifier: Apache-2.0
"""Granting and giving up the service user's membership, with a Keystone that is a small HTTP server."""

from typing import Any

import testtools

from hypernetes.model import errors
from hypernetes.openstack import cloud
from hypernetes.openstack import failures
from hypernetes.openstack import keystone
from hypernetes.tests.support.database import RED
from hypernetes.tests.support.fakes import openstack_http

ASSIGNMENT = f"/projects/{RED}/users/{openstack_http.USER_ID}/roles/{openstack_http.MEMBER_ROLE_ID}"
PROJECT = f"/projects/{RED}$"
ROLES = f"/projects/{RED}/users/{openstack_http.USER_ID}/roles$"


def refusal(status: int, message: str = "because.") -> dict[str, Any]:
    """The body of an error of Keystone's."""
    return {"error": {"code": status, "title": "No", "message": message}}


class KeystoneTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.services = self.useFixture(openstack_http.Services())
        self.use()

    def use(self, **overrides: Any) -> None:
        """Start anew with this configuration."""
        self.cloud = cloud.Cloud(openstack_http.configuration(self.services, **overrides))
        self.keystone = self.cloud.keystone

    def member_token(self) -> str | None:
        """The token with which the project's networks are asked for."""
        self.cloud.project(RED).find_router()
        return self.services.sent()[-1].token

    # ---- requests ---------------------------------------------------------------------------------------

    def test_a_grant_names_project_user_and_role_by_id_as_the_domains_manager(self) -> None:
        self.use(managed_domain_id="tenants")
        self.keystone.grant_member(RED)
        (put,) = self.services.sent("PUT")
        self.assertEqual((ASSIGNMENT, "domain:tenants", "keystone"), (put.path, put.scope, put.place))
        self.assertEqual({ASSIGNMENT}, self.services.assignments)

    def test_a_revocation_names_the_same_assignment(self) -> None:
        self.services.assignments.add(ASSIGNMENT)
        self.keystone.revoke_member(RED)
        (delete,) = self.services.sent("DELETE")
        self.assertEqual((ASSIGNMENT, "domain:default"), (delete.path, delete.scope))
        self.assertEqual(set(), self.services.assignments)

    def test_a_domains_own_role_of_the_same_name_is_never_granted(self) -> None:
        self.services.roles.insert(0, {"id": "planted", "name": "member", "domain_id": "tenants"})
        self.keystone.grant_member(RED)
        self.assertEqual({ASSIGNMENT}, self.services.assignments)

    def test_the_role_of_the_configuration_is_granted(self) -> None:
        self.services.roles.append({"id": "other", "name": "tenant-member", "domain_id": None})
        self.use(member_role="tenant-member")
        self.keystone.grant_member(RED)
        self.assertTrue(self.services.sent("PUT")[0].path.endswith("/roles/other"))

    def test_the_role_is_looked_up_once(self) -> None:
        self.keystone.grant_member(RED)
        self.keystone.revoke_member(RED)
        self.assertEqual([{"name": "member"}], [request.query for request in self.services.sent("GET")])

    def test_a_role_look_up_that_failed_is_made_again(self) -> None:
        self.services.answers("GET", "/roles", 503, times=1)
        self.assertRaises(errors.Unavailable, self.keystone.grant_member, RED)
        self.keystone.grant_member(RED)
        self.assertEqual({ASSIGNMENT}, self.services.assignments)

    # ---- repetition and tokens --------------------------------------------------------------------------

    def test_both_can_be_repeated(self) -> None:
        for act, expected in (
            (self.keystone.grant_member, {ASSIGNMENT}),
            (self.keystone.grant_member, {ASSIGNMENT}),
            (self.keystone.revoke_member, set()),
            (self.keystone.revoke_member, set()),
        ):
            act(RED)
            self.assertEqual(expected, self.services.assignments)

    def test_after_either_the_projects_token_is_a_new_one(self) -> None:
        before = self.member_token()
        self.keystone.grant_member(RED)
        granted = self.member_token()
        self.keystone.revoke_member(RED)
        self.assertEqual(3, len({before, granted, self.member_token()}))

    def test_a_token_is_kept_when_the_grant_failed(self) -> None:
        before = self.member_token()
        self.services.answers("PUT", ASSIGNMENT, 503)
        self.assertRaises(errors.Unavailable, self.keystone.grant_member, RED)
        self.assertEqual(before, self.member_token())

    # ---- failures ---------------------------------------------------------------------------------------

    def test_what_keystone_answers_becomes_an_error_of_ours(self) -> None:
        for status, expected in (
            (400, errors.Refused),
            (401, failures.NotAMember),
            (403, errors.Refused),
            (409, errors.Refused),
            (429, errors.Unavailable),
            (500, errors.Unavailable),
            (503, errors.Unavailable),
        ):
            for method, act in (("PUT", self.keystone.grant_member), ("DELETE", self.keystone.revoke_member)):
                # The pattern also matches the answer to a repetition with a new token, after 401.
                self.services.answers(method, ASSIGNMENT, status, refusal(status), times=2 if status == 401 else 1)
                self.assertIs(expected, type(self.assertRaises(errors.HypernetesError, act, RED)), f"{method} {status}")

    def test_a_project_that_is_gone_cannot_be_granted_but_given_up(self) -> None:
        for method, path in (("PUT", ASSIGNMENT), ("DELETE", ASSIGNMENT), ("GET", ROLES)):
            self.services.answers(method, path, 404, refusal(404, f"Could not find project: {RED}."))
        self.services.answers("GET", PROJECT, 403, refusal(403))
        self.assertRaises(failures.ProjectGone, self.keystone.grant_member, RED)
        self.keystone.revoke_member(RED)

    def test_a_missing_role_is_not_a_missing_project(self) -> None:
        self.services.answers("PUT", ASSIGNMENT, 404, refusal(404, "Could not find role: member."))
        self.services.answers("GET", PROJECT, 200, {"project": {"id": RED, "enabled": True}})
        error = self.assertRaises(errors.Refused, self.keystone.grant_member, RED)
        self.assertIs(errors.Refused, type(error))
        self.assertIn("Could not find role: member. Fix", str(error))

    def test_the_state_of_a_project(self) -> None:
        for enabled, expected in ((True, keystone.ProjectState.ENABLED), (False, keystone.ProjectState.DISABLED)):
            self.services.forget_answers()
            self.services.answers("GET", PROJECT, 200, {"project": {"enabled": enabled}})
            self.assertIs(expected, self.keystone.project_state(RED))

    def test_a_project_that_is_gone_differs_from_one_of_another_domain(self) -> None:
        # As Keystone answers a domain's manager: 403 for both.
        self.services.answers("GET", PROJECT, 403, refusal(403))
        self.services.answers("GET", ROLES, 404, refusal(404, f"Could not find project: {RED}."))
        self.assertIs(keystone.ProjectState.GONE, self.keystone.project_state(RED))
        self.services.forget_answers()
        self.services.answers("GET", PROJECT, 403, refusal(403))
        self.services.answers("GET", ROLES, 403, refusal(403))
        self.assertIs(errors.Refused, type(self.assertRaises(errors.Refused, self.keystone.project_state, RED)))

    def test_a_404_about_anything_else_is_not_the_end_of_a_project(self) -> None:
        other = (
            "user: " + openstack_http.USER_ID,
            f"project: {RED}0",
            "project: red",
            "role: member",
            "domain: tenants",
        )
        bodies = (None, {"message": "no backend"}, {"error": "not found"}, {"error": {"code": 404}})
        for body in (*bodies, *(refusal(404, f"Could not find {what}.") for what in other)):
            self.services.forget_answers()
            self.services.answers("GET", PROJECT, 404, body)
            self.services.answers("GET", ROLES, 404, body)
            self.assertRaises(errors.Unavailable, self.keystone.project_state, RED)

    def test_it_finds_itself_if_keystone_has_the_service_users_project(self) -> None:
        for found, expected in (
            ([{"id": openstack_http.SERVICE_PROJECT_ID}, {"id": RED}], True),
            ([{"id": RED}], False),
        ):
            self.services.forget_answers()
            self.services.answers("GET", "/auth/projects$", 200, {"projects": found})
            self.assertIs(expected, self.keystone.finds_itself())
        self.services.forget_answers()
        self.services.answers("GET", "/auth/projects$", 503)
        self.assertRaises(errors.Unavailable, self.keystone.finds_itself)

    def test_a_refused_revocation_says_so_and_is_not_the_services_absence(self) -> None:
        # The operator made us a member where we are no manager: namespaces are deleted there too, and the role stays.
        self.services.answers("DELETE", ASSIGNMENT, 403, refusal(403, "You are not authorized."))
        error = self.assertRaises(errors.Refused, self.keystone.revoke_member, RED)
        self.assertIn("You are not authorized", str(error))

    def test_a_role_that_does_not_exist_is_named(self) -> None:
        self.use(member_role="no-such-role")
        error = self.assertRaises(errors.Refused, self.keystone.grant_member, RED)
        self.assertIn("there is no role no-such-role", str(error))
        self.assertEqual([], self.services.sent("PUT"))

    def test_a_refused_password_and_lost_answers_can_be_tried_again(self) -> None:
        for act, method in ((self.keystone.grant_member, "PUT"), (self.keystone.revoke_member, "DELETE")):
            self.services.loses(method, ASSIGNMENT)
            self.assertIs(errors.Unavailable, type(self.assertRaises(errors.Unavailable, act, RED)))
            act(RED)
        self.use()
        self.services.answers("POST", "/auth/tokens", 401, refusal(401))
        for act in (self.keystone.grant_member, self.keystone.revoke_member):
            self.assertRaises(failures.NotAMember, act, RED)
