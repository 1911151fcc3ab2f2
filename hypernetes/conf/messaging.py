# SPDX-License-Identifier: Apache-2.0
"""``[messaging]``: what the service's own use of RabbitMQ needs besides oslo.messaging's options.

API and conductor read ``transport_url`` and ``[oslo_messaging_rabbit]`` as every OpenStack service does. An agent
gets its URL by enrolling, so only the authority it trusts is configured here.
"""

from oslo_config import cfg

GROUP = cfg.OptGroup("messaging", title="Message bus")

OPTIONS = [
    cfg.FloatOpt(
        "call_timeout",
        default=30.0,
        min=1.0,
        help="Seconds a caller waits for the answer of a call. Casts are given up after as many attempts as "
        "send_attempts says.",
    ),
    cfg.FloatOpt(
        "allocate_timeout",
        default=90.0,
        min=1.0,
        help="Seconds an agent waits for a port: the conductor asks the apiserver and Neutron meanwhile.",
    ),
    cfg.IntOpt(
        "call_monitor_timeout",
        default=10,
        min=2,
        help="Seconds without a sign of life of the receiver after which a call is given up before its timeout. "
        "Receivers give one twice in this time while they work.",
    ),
    cfg.IntOpt(
        "send_attempts",
        default=3,
        min=1,
        help="How often sending is attempted while RabbitMQ cannot be reached, before the caller is told.",
    ),
    cfg.StrOpt(
        "ca_file",
        help="PEM file of the authority that signed RabbitMQ's certificate, as the agents see it. Unset means that "
        "agents speak AMQP without TLS, which is for tests only.",
    ),
    cfg.StrOpt(
        "node_transport_url",
        default="rabbit://{user}:{password}@127.0.0.1:5672/",
        help="Transport URL handed to a node that enrolls. {user} is filled in by the conductor and {password} by the "
        "agent, which chose it; with several brokers both appear once for each.",
    ),
    cfg.StrOpt(
        "management_url",
        default="http://127.0.0.1:15672",
        help="RabbitMQ's management API, where the conductor makes the nodes' users.",
    ),
    cfg.StrOpt("management_user", default="hypernetes", help="User of the management API, tagged administrator."),
    cfg.StrOpt("management_password", secret=True, help="Its password."),
    cfg.StrOpt("management_ca_file", help="PEM file of the authority that signed the management API's certificate."),
    cfg.FloatOpt("management_timeout", default=10.0, min=0.1, help="Seconds the management API may take to answer."),
    cfg.StrOpt("virtual_host", default="/", help="RabbitMQ virtual host the service lives in."),
]
