# SPDX-License-Identifier: Apache-2.0
"""The policy enforcer, with our rules and the operator's changes to them."""

from oslo_config import cfg
from oslo_policy import opts
from oslo_policy import policy

from hypernetes import policies


def make_enforcer(conf: cfg.ConfigOpts) -> policy.Enforcer:
    """An enforcer for one configuration."""
    opts.set_defaults(conf)
    enforcer = policy.Enforcer(conf)
    enforcer.register_defaults(list(policies.list_rules()))
    return enforcer


def get_enforcer() -> policy.Enforcer:
    """The enforcer that oslo.policy's own commands (``oslopolicy-list-redundant`` …) work with."""
    cfg.CONF([], project="hypernetes")
    return make_enforcer(cfg.CONF)
