# SPDX-License-Identifier: Apache-2.0
"""Calls that need privileges over the node's network, made by a privsep daemon that has no others.

The daemon is forked at the agent's start, keeps CAP_NET_ADMIN alone, and can be asked for exactly the functions of
:mod:`~hypernetes.agent.privileged.tap` and :mod:`~hypernetes.agent.privileged.ovs`. Arguments are checked there again,
on the daemon's side.
"""

from oslo_config import cfg
from oslo_privsep import capabilities
from oslo_privsep import priv_context

SECTION = "hypernetes_privileged"
DAEMON_THREADS = 16

context = priv_context.PrivContext(
    "hypernetes",
    cfg_section=SECTION,
    pypath=__name__ + ".context",
    capabilities=[capabilities.CAP_NET_ADMIN],
)


def start() -> None:
    """Fork the daemon. Must run before the agent has threads."""
    # oslo.privsep takes its number of threads from the number of processors: too few for calls that wait.
    cfg.CONF.set_default("thread_pool_size", DAEMON_THREADS, group=SECTION)
    # Should the daemon die, privsep starts another through this command; root needs no sudo.
    priv_context.init(root_helper=[])
    context.start(priv_context.Method.FORK)
