# SPDX-License-Identifier: Apache-2.0
"""The rules as a whole."""

import itertools

import testtools
from oslo_policy import policy

from hypernetes import policies
from hypernetes.api import routes
from hypernetes.policies import base


class PoliciesTest(testtools.TestCase):
    """What every rule must have."""

    def test_no_rule_lets_everybody_in(self) -> None:
        for rule in policies.list_rules():
            self.assertNotIn(rule.check_str.strip(), ("", "@"), rule.name)

    def test_every_rule_is_made_of_personas_and_takes_project_tokens_only(self) -> None:
        personas = {f"rule:{persona.name}" for persona in base.RULES}
        for rule in policies.list_rules():
            if rule not in base.RULES:
                self.assertLessEqual(set(rule.check_str.split(" or ")), personas)
                self.assertEqual(["project"], rule.scope_types)

    def test_every_persona_is_used(self) -> None:
        used = {
            check for rule in policies.list_rules() if rule not in base.RULES for check in rule.check_str.split(" or ")
        }
        self.assertEqual({f"rule:{persona.name}" for persona in base.RULES}, used)

    def test_every_guarded_route_is_documented_by_its_rule(self) -> None:
        documented = {
            (rule.name, operation["method"], operation["path"])
            for rule in policies.list_rules()
            if isinstance(rule, policy.DocumentedRuleDefault)
            for operation in rule.operations
        }
        for route in routes.ROUTES:
            if route.policy is not None:
                self.assertIn((route.policy, route.method, route.path), documented)

    def test_names_are_unique(self) -> None:
        names = sorted(rule.name for rule in policies.list_rules())
        self.assertEqual([], [one for one, two in itertools.pairwise(names) if one == two])
