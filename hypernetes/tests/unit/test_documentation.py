# SPDX-License-Identifier: Apache-2.0
"""The page for users names every rule there is, and no other."""

import re
from pathlib import Path

import testtools

from hypernetes.kubernetes.admission import resources
from hypernetes.kubernetes.admission import workloads

PAGE = Path(__file__).parents[3] / "doc/source/user/index.rst"
_RULE = re.compile(r"hypernetes/([a-z-]+): ")


class RulesTest(testtools.TestCase):
    def test_every_rule_has_a_line(self) -> None:
        rules = set()
        for policy in (*workloads.policies(), *resources.policies()):
            spec = getattr(policy, "spec", None)
            for validation in getattr(spec, "validations", None) or ():
                rules |= set(_RULE.findall(validation.message or ""))
        table = set(re.findall(r"^``([a-z-]+)`` +\S", PAGE.read_text(), re.MULTILINE))
        self.assertEqual(rules, table - {"reader", "member", "manager"})
        self.assertGreater(len(rules), 20)
