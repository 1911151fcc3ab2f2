# SPDX-License-Identifier: Apache-2.0
"""A follower publishes what the apiserver has, and begins again whenever it cannot continue."""

import itertools
from collections.abc import Generator
from collections.abc import Mapping
from typing import Any
from unittest import mock

import testtools

from hypernetes.agent.services import follower
from hypernetes.model import errors


def item(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": str(version)}}


class Server:
    """An apiserver with a listing, and the answers to watches; after the last one the follower is stopped."""

    def __init__(self, *answers: list[dict[str, Any]] | errors.HypernetesError) -> None:
        self.listing: dict[str, Any] = {"metadata": {"resourceVersion": "1"}, "items": [item("a", 1)]}
        self.answers = list(answers)
        self.asked: list[str] = []
        self.connections = 0
        self.closed = 0
        self.stop: Any = None

    def connect(self) -> "Server":
        self.connections += 1
        return self

    def close(self) -> None:
        self.closed += 1

    def request(self, method: str, path: str, *, parameters: Mapping[str, str] | None = None) -> Any:
        self.asked.append(path)
        return self.listing

    def watch(self, path: str, version: str) -> Generator[dict[str, Any]]:
        self.asked.append(version)
        answer = self.answers.pop(0)
        if not self.answers:
            self.stop()
        if isinstance(answer, errors.HypernetesError):
            raise answer
        yield from answer


class FollowerTest(testtools.TestCase):
    def follow(self, server: Server, *, empty: str = follower.SLICES) -> list[list[str]]:
        """Follow one kind until the server has no more answers; return the names that were published each time."""
        published: list[list[str]] = []

        def publish(services: list[Any], slices: list[Any]) -> None:
            published.append(sorted(one["metadata"]["name"] for one in (*services, *slices)))

        made = follower.Follower("web", server.connect, publish)
        made._known[empty] = {}
        made._stop.wait = lambda timeout=None: made._stop.is_set()  # type: ignore[method-assign]
        server.stop = made._stop.set
        made.follow(follower.SERVICES if empty == follower.SLICES else follower.SLICES)
        self.assertEqual(server.connections, server.closed)
        return published

    def test_changes_are_published_and_the_watch_continues_where_it_was(self) -> None:
        server = Server(
            [
                {"type": "ADDED", "object": item("b", 2)},
                {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "7"}}},
            ],
            [{"type": "DELETED", "object": item("a", 8)}],
            [],
        )
        self.assertEqual([["a"], ["a", "b"], ["b"]], self.follow(server))
        self.assertEqual(["/api/v1/namespaces/web/services", "1", "7", "8"], server.asked)

    def test_a_version_that_is_too_old_is_listed_again(self) -> None:
        server = Server(errors.Unavailable(service="The cluster's apiserver", reason="410"), [], [])
        self.assertEqual([["a"], ["a"]], self.follow(server))
        self.assertEqual(2, server.connections)

    def test_a_refusal_is_tried_again_with_a_new_connection(self) -> None:
        server = Server(errors.Refused(service="The cluster's apiserver", reason="forbidden"), [], [])
        self.follow(server)
        self.assertEqual(2, server.connections)

    def test_the_pauses_of_failures_grow_but_not_over_a_watch_that_worked_for_long(self) -> None:
        for seconds, grows in ((1.0, True), (100.0, False)):
            gone = errors.Unavailable(service="The cluster's apiserver", reason="410")
            server = Server(*[gone] * 6)
            made = follower.Follower("web", server.connect, lambda *_: None)
            pauses: list[float] = []
            made._stop.wait = lambda timeout=None, to=pauses: to.append(timeout)  # type: ignore[misc,method-assign]
            server.stop = made._stop.set
            clock = itertools.count(0.0, seconds)
            with (
                mock.patch("time.monotonic", lambda clock=clock: next(clock)),
                mock.patch("hypernetes.agent.backoff.jittered", lambda pause: pause),
            ):
                made.follow(follower.SERVICES)
            self.assertEqual(16.0 if grows else 0.5, max(pauses))

    def test_an_answer_that_is_not_understood_does_not_end_it(self) -> None:
        server = Server([{"type": "ADDED", "object": {}}], [], [])
        self.assertEqual([["a"], ["a"]], self.follow(server))

    def test_nothing_is_published_before_both_kinds_are_known(self) -> None:
        published: list[Any] = []
        made = follower.Follower("web", Server().connect, lambda *known: published.append(known))
        made._replace(follower.SERVICES, {"a": item("a", 1)})
        self.assertEqual([], published)
        made._replace(follower.SLICES, {})
        self.assertEqual(1, len(published))

    def test_a_stopped_one_publishes_nothing(self) -> None:
        published: list[Any] = []
        made = follower.Follower("web", Server().connect, lambda *known: published.append(known))
        made.stop()
        for kind in follower.PATHS:
            made._replace(kind, {})
        self.assertEqual([], published)
