# SPDX-License-Identifier: Apache-2.0
"""Fair queuing: a project is one flow, and its writes are in a lane of their own."""

from typing import Any

import testtools

from hypernetes.kubernetes.objects import flowcontrol
from hypernetes.model import ids
from hypernetes.model import names

RED = ids.ProjectId("red")


def _groups(schema: Any) -> list[str]:
    return [subject.group.name for rule in schema.spec.rules for subject in rule.subjects]


class FlowsTest(testtools.TestCase):
    def test_every_tenant_is_served_after_the_cluster_s_own_components(self) -> None:
        schemas: list[Any] = flowcontrol.project_schemas(RED, ["one"], flowcontrol.LANES[0])
        schemas += [o for o in flowcontrol.flow_objects() if type(o).__name__ == "FlowSchema"]
        for schema in schemas:
            if schema.metadata.name != flowcontrol.CONDUCTOR:
                self.assertGreater(schema.spec.matchingPrecedence, 900)
                self.assertLess(schema.spec.matchingPrecedence, 9000)

    def test_a_project_s_users_and_workloads_are_one_flow(self) -> None:
        schemas: list[Any] = flowcontrol.project_schemas(RED, ["two", "one"], flowcontrol.LANES[0])
        for schema in schemas:
            expected = [names.group_of(RED, role) for role in names.KEYSTONE_ROLES]
            expected += ["system:serviceaccounts:one", "system:serviceaccounts:two"]
            self.assertEqual(expected, _groups(schema))
            self.assertIsNone(schema.spec.distinguisherMethod)

    def test_writes_are_matched_before_all_else(self) -> None:
        schemas: list[Any] = flowcontrol.project_schemas(RED, [], flowcontrol.LANES[3])
        writes, reads = (schema.spec for schema in schemas)
        self.assertLess(writes.matchingPrecedence, reads.matchingPrecedence)
        self.assertEqual(flowcontrol.LANES[3], writes.priorityLevelConfiguration.name)
        self.assertNotIn("get", writes.rules[0].resourceRules[0].verbs)

    def test_a_lane_neither_lends_nor_borrows(self) -> None:
        level: Any = flowcontrol.lane_level(flowcontrol.LANES[1], 7)
        limited = level.spec.limited
        self.assertEqual(flowcontrol.LANES[1], level.metadata.name)
        self.assertEqual(
            (7, 0, 0), (limited.nominalConcurrencyShares, limited.lendablePercent, limited.borrowingLimitPercent)
        )


class LanesTest(testtools.TestCase):
    def test_a_project_keeps_its_lane(self) -> None:
        self.assertEqual(flowcontrol.LANES[5], flowcontrol.lane_of(RED, {RED: flowcontrol.LANES[5]}))

    def test_a_new_project_gets_the_least_used_one(self) -> None:
        taken = {f"p{number}": lane for number, lane in enumerate(flowcontrol.LANES) if number != 9}
        self.assertEqual(flowcontrol.LANES[9], flowcontrol.lane_of(RED, taken))

    def test_of_two_projects_in_one_lane_the_second_by_id_leaves_it(self) -> None:
        taken = {RED: flowcontrol.LANES[0], "blue": flowcontrol.LANES[0]}
        self.assertEqual(flowcontrol.LANES[0], flowcontrol.lane_of(ids.ProjectId("blue"), taken))
        self.assertEqual(flowcontrol.LANES[1], flowcontrol.lane_of(RED, taken))

    def test_lanes_are_shared_when_all_are_taken(self) -> None:
        taken = {f"p{number}": lane for number, lane in enumerate(flowcontrol.LANES)} | {RED: flowcontrol.LANES[7]}
        self.assertEqual(flowcontrol.LANES[7], flowcontrol.lane_of(RED, taken))

    def test_a_lane_that_is_gone_is_replaced(self) -> None:
        self.assertEqual(flowcontrol.LANES[0], flowcontrol.lane_of(RED, {RED: "hypernetes-writes-99"}))

    def test_a_lane_is_unused_when_no_project_has_it(self) -> None:
        levels: list[Any] = [flowcontrol.lane_level(lane, 1) for lane in flowcontrol.LANES[:3]]
        levels += [o for o in flowcontrol.flow_objects() if type(o).__name__ == "PriorityLevelConfiguration"]
        unused = flowcontrol.unused_lanes(levels, {RED: flowcontrol.LANES[1]})
        self.assertEqual([flowcontrol.LANES[0], flowcontrol.LANES[2]], unused)

    def test_what_is_in_the_cluster_is_read_back(self) -> None:
        schemas = flowcontrol.project_schemas(RED, [], flowcontrol.LANES[2])
        self.assertEqual({RED: flowcontrol.LANES[2]}, flowcontrol.lanes_taken(schemas))
        self.assertEqual([], flowcontrol.leftover(schemas, [RED]))
        self.assertEqual(2, len(flowcontrol.leftover(schemas, ["blue"])))
