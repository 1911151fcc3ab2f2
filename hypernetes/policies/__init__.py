# SPDX-License-Identifier: Apache-2.0
"""The rules of oslo.policy: one module per resource, personas in :mod:`hypernetes.policies.base`."""

import itertools
from collections.abc import Iterable

from oslo_policy import policy

from hypernetes.policies import base
from hypernetes.policies import clusters
from hypernetes.policies import namespaces
from hypernetes.policies import nodes


def list_rules() -> Iterable[policy.RuleDefault]:
    """Return all rules, personas first, as ``oslopolicy-sample-generator`` needs them."""
    return itertools.chain(base.RULES, clusters.RULES, namespaces.RULES, nodes.RULES)
