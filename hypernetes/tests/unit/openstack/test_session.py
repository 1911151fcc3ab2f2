# SPDX-License-Identifier: Apache-2.0
"""Which tokens are asked for, how long they are kept, and what happens when a service is slow or away."""

import threading
import time
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any
from unittest import mock

import fixtures
import testtools
from keystoneauth1 import exceptions as auth_exceptions
from oslo_config import cfg
from oslo_context import context
from oslo_context import fixture as context_fixture

from hypernetes.conf import openstack
from hypernetes.model import errors
from hypernetes.openstack import failures
from hypernetes.openstack import session
from hypernetes.tests.support.database import BLUE
from hypernetes.tests.support.database import RED
from hypernetes.tests.support.fakes import openstack_http


class SessionsCase(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.services = self.useFixture(openstack_http.Services())

    def sessions(self, **overrides: Any) -> session.Sessions:
        return session.Sessions(openstack_http.configuration(self.services, **overrides))

    def failure(self, call: Callable[[], object]) -> errors.HypernetesError:
        try:
            with failures.translated("Neutron"):
                call()
        except errors.HypernetesError as error:
            return error
        raise AssertionError("there was no error")


class ScopeTest(SessionsCase):
    """What each token is for."""

    def test_each_session_asks_for_its_own_scope(self) -> None:
        sessions = self.sessions(
            project_name="services", project_domain_id="infra", managed_domain_id="tenants", user_domain_id="users"
        )
        uses: tuple[tuple[Callable[[], object], dict[str, Any]], ...] = (
            (
                lambda: sessions.service().network.get("/networks"),
                {"project": {"name": "services", "domain": {"id": "infra"}}},
            ),
            (lambda: sessions.domain_manager().get_token(), {"domain": {"id": "tenants"}}),
            (lambda: sessions.project(RED).network.get("/networks"), {"project": {"id": RED}}),
        )
        for use, scope in uses:
            use()
            auth = self.services.tokens()[-1]["auth"]
            self.assertEqual(scope, auth["scope"])
            self.assertEqual(
                {"name": "hypernetes", "domain": {"id": "users"}, "password": "s3cret"},
                auth["identity"]["password"]["user"],
            )
        self.assertEqual(3, len(self.services.tokens()))

    def test_no_request_is_made_before_the_first_use(self) -> None:
        sessions = self.sessions()
        sessions.service()
        sessions.project(RED)
        sessions.domain_manager()
        self.assertEqual([], self.services.requests)

    def test_neutron_is_found_by_region_and_interface(self) -> None:
        for region, interface in (("RegionOne", "internal"), ("RegionTwo", "public")):
            self.sessions(region_name=region, valid_interfaces=[interface]).service().network.get("/networks")
            self.assertEqual(f"{region}/{interface}", self.services.sent()[-1].place)

    def test_the_authority_of_the_configuration_is_trusted_and_by_default_the_systems(self) -> None:
        for ca_file, expected in ((None, True), ("/etc/ssl/cloud.pem", "/etc/ssl/cloud.pem")):
            sessions = self.sessions(cafile=ca_file)
            for made in (sessions.domain_manager(), sessions.service().session, sessions.project(RED).session):
                self.assertEqual(expected, made.verify)


class ConfigurationTest(SessionsCase):
    """The options have the names that every OpenStack service gives them."""

    def load(self, **options: str) -> session.Sessions:
        """Return the sessions by a configuration file."""
        path = Path(self.useFixture(fixtures.TempDir()).path) / "hypernetes.conf"
        path.write_text("\n".join(["[openstack]", *(f"{name} = {value}" for name, value in options.items())]))
        conf = cfg.ConfigOpts()
        conf.register_opts(openstack.OPTIONS, group=cfg.OptGroup("openstack"))
        conf([], project="hypernetes", default_config_files=[str(path)], default_config_dirs=[])
        return session.Sessions(conf)

    def test_a_service_users_usual_section_is_understood(self) -> None:
        sessions = self.load(
            auth_type="password",
            auth_url=self.services.auth_url,
            username="hypernetes",
            password="s3cret",
            user_domain_id="default",
            project_name="service",
            project_domain_id="default",
            cafile="/etc/ssl/cloud.pem",
            timeout="7",
            region_name="RegionTwo",
            valid_interfaces="public",
        )
        sessions.service().network.get("/networks")
        sessions.project(RED).network.get("/networks")
        self.assertEqual(
            [("RegionTwo/public", "project-name:service"), ("RegionTwo/public", f"project:{RED}")],
            [(request.place, request.scope) for request in self.services.sent() if request.path == "/networks"],
        )
        made = sessions.project(RED).session
        self.assertEqual(("/etc/ssl/cloud.pem", 7), (made.verify, made.timeout))

    def test_incomplete_credentials_are_an_error_at_the_start(self) -> None:
        error = self.assertRaises(auth_exceptions.MissingRequiredOptions, self.load, username="hypernetes")
        self.assertIn("auth_url", str(error))


class RequestTest(SessionsCase):
    """OpenStack's services log the request for which they are asked."""

    def test_the_request_id_is_passed_on(self) -> None:
        self.useFixture(context_fixture.ClearRequestContext())
        network = self.sessions().service().network
        network.get("/networks")
        current = context.RequestContext()
        network.get("/networks")
        self.assertEqual([None, current.request_id], [request.request_id for request in self.services.sent()])


class KeptTest(SessionsCase):
    """Connections are kept, and dropped when they must be."""

    def ask(self, sessions: session.Sessions, project_id: str) -> str | None:
        """The token with which a project's networks are asked for."""
        sessions.project(project_id).network.get("/networks")
        return self.services.sent()[-1].token

    def test_a_connection_and_its_token_are_used_again(self) -> None:
        sessions = self.sessions()
        self.assertEqual(self.ask(sessions, RED), self.ask(sessions, RED))
        self.assertIs(sessions.service(), sessions.service())
        self.assertIs(sessions.domain_manager(), sessions.domain_manager())
        self.assertEqual(1, len(self.services.tokens()))

    def test_projects_do_not_share_a_token(self) -> None:
        sessions = self.sessions()
        for project_id in (RED, BLUE, RED):
            self.ask(sessions, project_id)
        self.assertEqual([f"project:{p}" for p in (RED, BLUE, RED)], [r.scope for r in self.services.sent()])

    def test_a_forgotten_project_gets_a_new_token_and_the_others_keep_theirs(self) -> None:
        sessions = self.sessions()
        red, blue = self.ask(sessions, RED), self.ask(sessions, BLUE)
        sessions.forget_project(RED)
        self.assertNotEqual(red, self.ask(sessions, RED))
        self.assertEqual(blue, self.ask(sessions, BLUE))

    def test_a_project_that_is_not_known_can_be_forgotten(self) -> None:
        self.sessions().forget_project(RED)

    def test_the_connection_used_longest_ago_goes_first(self) -> None:
        self.useFixture(fixtures.MonkeyPatch("hypernetes.openstack.session._KEPT_PROJECTS", 2))
        sessions = self.sessions()
        first, second = sessions.project("1"), sessions.project("2")
        self.assertIs(first, sessions.project("1"))
        sessions.project("3")
        self.assertIs(first, sessions.project("1"))
        self.assertIsNot(second, sessions.project("2"))

    def test_threads_that_come_at_once_share_one_connection(self) -> None:
        sessions = self.sessions()
        together = threading.Barrier(8)
        original = session.Sessions._session

        def slowly(made_by: session.Sessions, **scope: Any) -> Any:
            time.sleep(0.01)  # So that without a lock all of them would be here at once.
            return original(made_by, **scope)

        def use(_: int) -> tuple[int, int, int]:
            together.wait(10)
            return id(sessions.service()), id(sessions.domain_manager()), id(sessions.project(RED))

        with mock.patch.object(session.Sessions, "_session", slowly), futures.ThreadPoolExecutor(8) as pool:
            self.assertEqual(1, len(set(pool.map(use, range(8)))))

    def test_a_token_that_is_no_longer_accepted_is_renewed_once(self) -> None:
        sessions = self.sessions()
        self.services.answers("GET", "/networks", 401, times=1)
        self.assertEqual(200, sessions.service().network.get("/networks").status_code)
        self.assertEqual(2, len(self.services.tokens()))


class AwayTest(SessionsCase):
    """Slow, silent and absent services."""

    def setUp(self) -> None:
        super().setUp()
        self.slept = self.useFixture(fixtures.MockPatch("keystoneauth1.session.time.sleep")).mock

    def test_every_session_has_the_configured_timeout(self) -> None:
        sessions = self.sessions(timeout=7.0)
        for made in (sessions.domain_manager(), sessions.service().session, sessions.project(RED).session):
            self.assertEqual(7.0, made.timeout)

    def test_a_silent_service_is_not_waited_for_beyond_the_timeout(self) -> None:
        for path, use in (
            ("/networks", lambda: self.sessions(timeout=1.0).service().network.get("/networks")),
            ("/auth/tokens", lambda: self.sessions(timeout=1.0).domain_manager().get_token()),
        ):
            self.services.loses("GET" if path == "/networks" else "POST", path, quiet=True)
            began = time.monotonic()
            error = self.failure(use)
            self.assertIs(errors.Unavailable, type(error))
            self.assertLess(time.monotonic() - began, 10.0)
            self.assertIn("ConnectTimeout", str(error))

    def test_a_service_that_is_not_there_is_unavailable_and_no_secret_is_told(self) -> None:
        sessions = self.sessions(auth_url="http://127.0.0.1:9/v3")
        error = self.failure(lambda: sessions.service().network.get("/networks"))
        self.assertIs(errors.Unavailable, type(error))
        self.assertNotIn("s3cret", str(error))

    def test_what_only_reads_or_deletes_is_repeated_at_once_when_its_answer_is_lost(self) -> None:
        network = self.sessions(connect_retries=2).service().network
        identifier = self.services.put("networks", RED)
        for method, path in (("GET", "/networks"), ("DELETE", f"/networks/{identifier}")):
            self.services.loses(method, path, times=2)
            network.request(path, method)
            self.assertEqual(3, len(self.services.sent(method)))

    def test_a_lost_token_is_asked_for_again_at_once(self) -> None:
        self.services.loses("POST", "/auth/tokens", times=2)
        self.sessions(connect_retries=2).domain_manager().get_token()
        self.assertEqual(3, len(self.services.tokens()))

    def test_what_makes_something_is_never_repeated_at_once_since_it_may_have_been_made(self) -> None:
        network = self.sessions(connect_retries=2).project(RED).network
        router, subnet = self.services.put("routers", RED), self.services.put("subnets", RED)
        self.services.loses("POST", "/networks")
        self.services.loses("PUT", ".*add_router_interface")
        for make in (
            lambda: network.create_network(name="n"),
            lambda: network.add_interface_to_router(router, subnet=subnet),
        ):
            self.assertIs(errors.Unavailable, type(self.failure(make)))
        self.assertEqual((1, 1), (len(self.services.things["networks"]), len(self.services.things["ports"])))
        self.assertEqual(2, len(self.services.sent()))

    def test_a_wrong_password_is_told_without_it_and_not_tried_again(self) -> None:
        self.services.answers("POST", "/auth/tokens", 401, {"error": {"code": 401, "message": "no", "title": "U"}})
        error = self.failure(lambda: self.sessions(connect_retries=2).project(RED).network.get("/networks"))
        self.assertIs(failures.NotAMember, type(error))
        self.assertNotIn("s3cret", str(error))
        self.assertEqual(1, len(self.services.tokens()))
