# SPDX-License-Identifier: Apache-2.0
"""``[messaging]``: the service's own use of RabbitMQ, besides oslo.messaging's options."""

from oslo_config import cfg

from hypernetes.conf import timeouts

GROUP = cfg.OptGroup(
    "messaging",
    title="Message bus",
    help="The service's own use of RabbitMQ. API and conductors read transport_url and [oslo_messaging_rabbit] as "
    "every OpenStack service does; an agent receives its transport URL when it enrolls.",
)

OPTIONS = [
    cfg.FloatOpt(
        "call_timeout",
        default=30.0,
        min=1.0,
        help="Maximum time, in seconds, to wait for the answer to a call (enrollment, heartbeat, phase result).",
    ),
    cfg.FloatOpt(
        "allocate_timeout",
        default=timeouts.ALLOCATE_CALL,
        min=1.0,
        help="Maximum time, in seconds, that an agent waits for the answer to one call that allocates or releases a "
        "port. The conductor calls the apiserver and Neutron meanwhile. The agent repeats the call until "
        "[agent] allocate_deadline. Raise it if Neutron regularly takes longer to create a port.",
    ),
    cfg.IntOpt(
        "call_monitor_timeout",
        default=timeouts.CALL_MONITOR,
        min=2,
        help="Time, in seconds, without a sign of life from the receiver after which a call fails before its timeout. "
        "A receiver that is working sends one twice in this time. Lower values detect a killed conductor sooner and "
        "cause more messages.",
    ),
    cfg.IntOpt(
        "calls_per_node",
        default=20,
        min=1,
        help="Maximum number of calls of one node that a conductor processes at the same time; further ones wait, and "
        "at last are dropped and repeated by the agent. It keeps a compromised node from holding every thread, so keep "
        "it below a third of executor_thread_pool_size, and above the number of ports that an agent asks for at the "
        "same time ([agent] socket_workers).",
    ),
    cfg.IntOpt(
        "send_attempts",
        default=3,
        min=1,
        help="Number of attempts to send a message while RabbitMQ cannot be reached, before the operation fails.",
    ),
    cfg.StrOpt(
        "ca_file",
        help="CA bundle (PEM) with which agents verify RabbitMQ. An agent whose option is unset uses [agent] ca_file.",
    ),
    cfg.StrOpt(
        "node_transport_url",
        default="rabbit://{user}:{password}@127.0.0.1:5672/",
        help="Transport URL that a node receives when it enrolls. The conductor replaces {user}, and the agent "
        "{password}, which it has chosen; with several brokers both appear once per broker. The default reaches a "
        "broker on the node itself, so it must be changed when nodes are other machines.",
    ),
    cfg.StrOpt(
        "management_url",
        default="http://127.0.0.1:15672",
        help="URL of RabbitMQ's management API, with which the conductor creates the nodes' users. Use https unless "
        "RabbitMQ runs on the same machine.",
    ),
    cfg.StrOpt(
        "management_user",
        default="hypernetes",
        help="User of RabbitMQ's management API; it must have the tag administrator.",
    ),
    cfg.StrOpt("management_password", secret=True, help="Password of management_user."),
    cfg.StrOpt(
        "management_ca_file",
        help="CA bundle (PEM) for verifying RabbitMQ's management API; defaults to the system's.",
    ),
    cfg.FloatOpt(
        "management_timeout",
        default=10.0,
        min=0.1,
        help="Maximum time, in seconds, for one request to RabbitMQ's management API.",
    ),
    cfg.StrOpt(
        "virtual_host",
        default="/",
        help="RabbitMQ virtual host that the service uses; it must be the one of transport_url.",
    ),
]
