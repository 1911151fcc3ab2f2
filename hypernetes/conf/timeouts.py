# SPDX-License-Identifier: Apache-2.0
"""The time limits of a CNI ADD, in one place because they must stay in order.

The party that knows the cause of a failure should report it, so an inner limit is shorter than the outer one. See
``doc/source/reference/timeouts.rst``; ``hypernetes/tests/unit/conf/test_timeouts.py`` checks the order. All values are
seconds.
"""

import math

from oslo_config import cfg

KUBELET_SANDBOX = 240.0
"""The kubelet's limit of RunPodSandbox: twice its ``runtimeRequestTimeout``, whose default is two minutes."""

CNI_MARGIN = 5.0
"""What the CNI plug-in waits beyond the sum of the agent's limits."""

CNI_CONNECT = 20.0
"""How long the CNI plug-in waits for an agent that is being restarted; a failed DEL leaves a dead pod on the node."""

ADD_TURN = 10.0
"""How long an ADD waits for its turn among those of its namespace."""

ALLOCATE_DEADLINE = 80.0
"""Default of ``[agent] allocate_deadline``: after it no further call for a port is started."""

ALLOCATE_CALL = 25.0
"""Default of ``[messaging] allocate_timeout``: one call for a port."""

ALLOCATE_WAIT = 20.0
"""Default of ``[conductor] allocate_wait``: how long a call waits for another one for the same sandbox."""

CALL_MONITOR = 10
"""Default of ``[messaging] call_monitor_timeout``: how long a call survives without a sign of life of the conductor."""

APISERVER_REQUEST = 10.0
"""Default of ``[kubernetes] request_timeout``."""

OPENSTACK_REQUEST = 30.0
"""Default of ``[openstack] timeout``. Longer than one call for a port: the conductor waits for a late answer of
Neutron, and the agent's next call returns the port instead of creating another."""

OVSDB_TRANSACTION = 10.0
"""Default of ``[node] ovsdb_timeout``."""

PLUG = 30.0
"""Default of ``[node] plug_timeout``: how long OVN may take to install the flows of a port."""


def cni_add(conf: cfg.ConfigOpts) -> int:
    """Return the CNI plug-in's limit for the whole exchange with the agent, by the agent's configuration."""
    allocate = conf.agent.allocate_deadline + conf.messaging.allocate_timeout
    plug = conf.node.ovsdb_timeout + conf.node.plug_timeout
    seconds: float = CNI_CONNECT + ADD_TURN + allocate + plug + CNI_MARGIN
    return math.ceil(seconds)
