# SPDX-License-Identifier: Apache-2.0
"""The enforcer that the API works with."""

import testtools

from hypernetes import policies
from hypernetes.api import policy
from hypernetes.tests.support import database


class EnforcerTest(testtools.TestCase):
    """Several threads ask it at once."""

    def test_its_rules_are_loaded_before_the_first_request(self) -> None:
        enforcer = policy.make_enforcer(database.configuration("sqlite://"))
        self.assertLessEqual({rule.name for rule in policies.list_rules()}, set(enforcer.rules))
