# SPDX-License-Identifier: Apache-2.0
"""The policy enforcer, with the rules of Hypernetes and the operator's changes to them."""

from oslo_config import cfg
from oslo_policy import opts
from oslo_policy import policy

from hypernetes import policies


def make_enforcer(conf: cfg.ConfigOpts) -> policy.Enforcer:
    """Return an enforcer for one configuration, with its rules loaded."""
    opts.set_defaults(conf)
    enforcer = policy.Enforcer(conf)
    enforcer.register_defaults(list(policies.list_rules()))
    # Otherwise loaded at the first request, while a second thread sees a part of the rules and refuses.
    enforcer.load_rules()
    return enforcer


def get_enforcer() -> policy.Enforcer:
    """Return the enforcer for oslo.policy's own commands (``oslopolicy-list-redundant`` …)."""
    cfg.CONF([], project="hypernetes")
    return make_enforcer(cfg.CONF)
