# SPDX-License-Identifier: Apache-2.0
"""Transports: how API and conductor connect to RabbitMQ, and how a node's agent does with its confined user.

``oslo_service.backend.init_backend`` must have run before this module is imported: oslo.messaging otherwise
chooses eventlet.
"""

import importlib
import importlib.util
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import oslo_messaging
import oslo_messaging.opts
from oslo_concurrency import lockutils
from oslo_config import cfg

from hypernetes.model import bus

RABBIT_GROUP = "oslo_messaging_rabbit"

_MISSING_REPLY_QUEUE_SECONDS = 1
_PREFETCHED_MESSAGES = 64
"""As many as a server has threads. RabbitMQ would otherwise push all it has into the receiver's memory."""


@dataclass(frozen=True, slots=True)
class Enrollment:
    """What an agent stores (mode 0600) when it has enrolled: its identity and the proof of it."""

    node_id: str
    node_name: str
    token: str = field(repr=False)
    """Proof on every call; the database has only its SHA-256."""
    amqp_password: str = field(repr=False)
    transport_url: str = field(repr=False)
    """As the API returned it, with ``{password}`` in place of the password."""


def service_transport(conf: cfg.ConfigOpts) -> Any:
    """Return the transport of API and conductor, by ``transport_url`` in their configuration.

    It connects at its first use. A uWSGI master must not share it with its workers: run uWSGI with ``--lazy-apps``.
    """
    register_options(conf)
    conf.set_default("control_exchange", bus.CONDUCTOR_EXCHANGE)
    return oslo_messaging.get_rpc_transport(conf)


def agent_transport(enrollment: Enrollment, *, ca_file: str | None, lock_path: str) -> Any:
    """Return the transport of one node's agent.

    It has a configuration of its own, since the queue names it may use follow from the enrollment and from nothing
    an operator writes: exchange ``hypernetes.<node>``, replies on ``reply_<node>:agent:<n>``.

    :param ca_file: CA bundle (PEM) for verifying RabbitMQ; None connects without TLS.
    :param lock_path: a directory owned by the agent, for oslo.messaging's queue counter.
    """
    conf = cfg.ConfigOpts()
    conf(args=[], project="hypernetes", default_config_files=[], default_config_dirs=[])
    register_options(conf)
    conf.set_override("control_exchange", bus.agent_exchange(enrollment.node_name))
    conf.set_override("use_queue_manager", True, group=RABBIT_GROUP)
    conf.set_override("hostname", enrollment.node_name, group=RABBIT_GROUP)
    conf.set_override("processname", bus.AGENT_PROCESS, group=RABBIT_GROUP)
    # oslo.concurrency reads its options from the process-wide configuration only.
    lockutils.set_defaults(lock_path)
    if ca_file is not None:
        conf.set_override("ssl", True, group=RABBIT_GROUP)
        conf.set_override("ssl_ca_file", ca_file, group=RABBIT_GROUP)
    url = enrollment.transport_url.replace("{password}", enrollment.amqp_password)
    return oslo_messaging.get_rpc_transport(conf, url=url)


def register_options(conf: cfg.ConfigOpts) -> None:
    """Register oslo.messaging's options with ``conf`` and set Hypernetes' defaults. Idempotent.

    oslo.messaging registers its metrics and tracing options with the global ``cfg.CONF`` alone, does not list them,
    and then reads them from whatever configuration it was given.
    """
    for group, options in oslo_messaging.opts.list_opts():
        if group in (None, RABBIT_GROUP):
            conf.register_opts(options, group=group)
    for package, group in (("_metrics", "oslo_messaging_metrics"), ("_tracing", "oslo_messaging_tracing")):
        # Older releases lack one or the other, and then do not read it.
        if importlib.util.find_spec(f"oslo_messaging.{package}") is not None:
            module = importlib.import_module(f"oslo_messaging.{package}.client")
            conf.register_opts(getattr(module, group), group=group)
    # A restart of RabbitMQ must not lose the bindings between the nodes' exchanges and the conductor's.
    conf.set_default("amqp_durable_queues", True, group=RABBIT_GROUP)
    # An answer whose queue does not exist holds a thread for this long; a hostile node could ask for many such answers.
    conf.set_default("kombu_missing_consumer_retry_timeout", _MISSING_REPLY_QUEUE_SECONDS, group=RABBIT_GROUP)
    conf.set_default("rabbit_qos_prefetch_count", _PREFETCHED_MESSAGES, group=RABBIT_GROUP)
