# SPDX-License-Identifier: Apache-2.0
"""What the owner of a namespace reads while it is created."""

import dataclasses
from typing import Any
from unittest import mock

from hypernetes.conductor.engine import outcome
from hypernetes.conductor.namespaces import progress
from hypernetes.conductor.namespaces import reconciler
from hypernetes.model import errors
from hypernetes.model import ids
from hypernetes.model import records
from hypernetes.tests.support import namespace_case
from hypernetes.tests.support.fakes import neutron as fakes

STEPS = [
    "Step 1 of 8: router and subnet pool of the project.",
    "Step 2 of 8: network.",
    "Step 3 of 8: subnet.",
    "Step 4 of 8: router interface.",
    "Step 5 of 8: security group.",
    "Step 6 of 8: Kubernetes namespace.",
    "Step 7 of 8: quota and roles.",
    "Step 8 of 8: service account.",
]


class ProgressTest(namespace_case.NamespaceCase):
    def reasons(self, namespace: records.Namespace) -> list[str | None]:
        """Reconcile a namespace once; the reasons that were written meanwhile."""
        written: list[str | None] = []
        observe = self.db.namespaces.observe

        def watched(*words: Any, **fields: Any) -> records.Namespace:
            if "status_reason" in fields:
                written.append(fields["status_reason"])
            return observe(*words, **fields)

        with mock.patch.object(self.db.namespaces, "observe", watched):
            self.outcome = self.reconcile(namespace)
        return written

    def test_each_step_is_named_as_it_begins(self) -> None:
        self.assertEqual([*STEPS, None], self.reasons(self.make()))

    def test_nothing_is_written_about_a_namespace_that_is_complete(self) -> None:
        namespace = self.make()
        self.settle(namespace)
        self.assertEqual([], self.reasons(namespace))

    def test_a_retried_step_keeps_its_reason_and_those_before_it_are_not_named_again(self) -> None:
        namespace = self.make()
        unavailable = errors.Unavailable(service="Neutron", reason="it answered 503")
        with mock.patch.object(fakes.FakeNamespaceNetworking, "ensure_security_group", side_effect=unavailable):
            self.assertEqual([*STEPS[:5], f"{STEPS[4]} {unavailable.detail}"], self.reasons(namespace))
            self.assertIsInstance(self.outcome, outcome.Failed)
            self.assertEqual([], self.reasons(namespace))
        self.assertEqual([*STEPS[5:], None], self.reasons(namespace))

    def test_the_router_of_a_tenant_s_own_network_is_not_waited_for(self) -> None:
        namespace = dataclasses.replace(self.make(), requested_network_id=ids.NetworkId("n"))
        named = [progress.sentence(namespace, step) for step in reconciler.STEPS_UP]
        self.assertEqual([*STEPS[:3], None, *STEPS[4:7], None, STEPS[7], None], named)
