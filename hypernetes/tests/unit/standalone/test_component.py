# SPDX-License-Identifier: Apache-2.0
"""The table of components is consistent, and orders what it starts."""

import unittest

from hypernetes.standalone import component
from hypernetes.standalone import table
from hypernetes.standalone.components import worker


def row(name: str, *needs: str) -> component.Component:
    return component.Component(name=name, summary=name, start=lambda _installation: None, needs=needs)


class TableTest(unittest.TestCase):
    def test_each_component_comes_after_what_it_needs(self) -> None:
        order = component.order(component.by_name([row("c", "b"), row("a"), row("b", "a")]))
        self.assertEqual(["a", "b", "c"], order)

    def test_a_circle_is_refused_and_names_who_takes_part(self) -> None:
        with self.assertRaisesRegex(component.TableInvalid, "a, b"):
            component.by_name([row("a", "b"), row("b", "a")])

    def test_an_unknown_need_is_refused(self) -> None:
        with self.assertRaisesRegex(component.TableInvalid, "needs ghost"):
            component.by_name([row("a", "ghost")])

    def test_a_doubled_name_is_refused(self) -> None:
        with self.assertRaisesRegex(component.TableInvalid, "twice"):
            component.by_name([row("a"), row("a")])

    def test_the_closure_holds_everything_that_is_needed_and_nothing_else(self) -> None:
        rows = component.by_name([row("a"), row("b", "a"), row("c", "b"), row("d", "a")])
        self.assertEqual({"a", "b", "c"}, component.closure(rows, ["c"]))

    def test_an_unknown_component_is_answered_with_those_there_are(self) -> None:
        with self.assertRaisesRegex(component.TableInvalid, "choose from: a"):
            component.closure(component.by_name([row("a")]), ["b"])


class RealTableTest(unittest.TestCase):
    def test_the_real_table_can_be_ordered(self) -> None:
        self.assertEqual(set(table.COMPONENTS), set(component.order(table.COMPONENTS)))

    def test_evidence_needs_every_component_that_is_not_optional(self) -> None:
        always = {name for name, one in table.COMPONENTS.items() if not one.optional}
        self.assertEqual(always, component.closure(table.COMPONENTS, ["evidence"]))
        workers = set(table.of_workers(worker.WORKERS))
        self.assertEqual({"horizon", "ceph", "cinder"} | table.companions(), table.COMPONENTS.keys() - always - workers)

    def test_the_cloud_can_be_started_without_building_the_distribution(self) -> None:
        self.assertNotIn("distribution", component.closure(table.COMPONENTS, ["neutron", "rabbitmq", "node1"]))
