# SPDX-License-Identifier: Apache-2.0
"""``[port_pool]``: Neutron ports that are created before a pod needs them."""

from oslo_config import cfg

GROUP = cfg.OptGroup("port_pool", title="Port pools")

OPTIONS = [
    cfg.IntOpt(
        "minimum",
        default=1,
        min=0,
        help="Number of ready ports that a namespace gets on a node once one of its pods has started there. A pod that "
        "gets a ready port waits for no request to Neutron. Each one counts in the project's quota of ports. 0 turns "
        "pools off.",
    ),
    cfg.IntOpt(
        "maximum",
        default=8,
        min=0,
        help="Maximum number of ready ports of a namespace on a node. A pool grows to twice its size, up to this, each "
        "time a pod finds it empty.",
    ),
    cfg.IntOpt(
        "batch",
        default=4,
        min=1,
        help="Maximum number of ports of one pool that are created before other objects get their turn.",
    ),
    cfg.IntOpt(
        "project_maximum",
        default=50,
        min=0,
        help="Maximum number of ready ports of a project, over all its namespaces and nodes. Keep it well below the "
        "quota of ports: Neutron's default is 500.",
    ),
    cfg.FloatOpt(
        "idle_after",
        default=600.0,
        min=1.0,
        help="Time, in seconds, without a new pod after which a pool's ports are deleted.",
    ),
]
