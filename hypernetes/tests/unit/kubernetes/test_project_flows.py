# SPDX-License-Identifier: Apache-2.0
"""Lanes that two conductors give at the same time."""

from typing import Any
from typing import cast

import testtools
from lightkube.resources import flowcontrol_apiserver_v1 as flow

from hypernetes.kubernetes import project_flows
from hypernetes.kubernetes.objects import flowcontrol
from hypernetes.model import ids
from hypernetes.tests.support.fakes import apiserver
from hypernetes.tests.support.fakes import fate

FIRST, SECOND = ids.ProjectId("a"), ids.ProjectId("b")


class Slow:
    """A conductor that does something else between its first look and its first change."""

    def __init__(self, inner: Any, meanwhile: Any) -> None:
        self._inner = inner
        self._meanwhile = meanwhile

    def list(self, *arguments: Any, **options: Any) -> Any:
        found = self._inner.list(*arguments, **options)
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile:
            meanwhile()
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class RaceTest(testtools.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.apiserver = apiserver.FakeApiserver(fate.Fate())

    def _lanes(self) -> dict[str, str]:
        return flowcontrol.lanes_taken(self.apiserver.list(flow.FlowSchema))

    def _give(self, project_id: ids.ProjectId, client: Any) -> None:
        project_flows.apply_project_flows(cast(Any, client), {project_id: [project_id]}, 1)

    def test_two_projects_at_the_same_time_get_two_lanes(self) -> None:
        for one, other in ((FIRST, SECOND), (SECOND, FIRST)):
            self.apiserver = apiserver.FakeApiserver(fate.Fate())
            client = Slow(self.apiserver, lambda other=other: self._give(other, self.apiserver))
            self._give(one, client)
            # The first one by ID keeps its lane, whichever was faster; the second one's turn is now or at the audit.
            self._give(SECOND, self.apiserver)
            self.assertEqual({FIRST: flowcontrol.LANES[0], SECOND: flowcontrol.LANES[1]}, self._lanes())
