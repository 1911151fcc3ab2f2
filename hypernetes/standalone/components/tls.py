# SPDX-License-Identifier: Apache-2.0
"""The CAs and the servers' certificates."""

from __future__ import annotations

import pwd

from hypernetes.standalone import addresses
from hypernetes.standalone.component import Component
from hypernetes.standalone.installation import Installation

SERVERS = ("registry", "ovn-southbound", "hypernetes-api", "hypernetes-webhook", "horizon", "cinder")


def start(installation: Installation) -> None:
    """Issue what is missing; RabbitMQ's key belongs to its own user."""
    layout = installation.layout
    for directory in (layout.state, layout.tls, layout.run, layout.log):
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    ca = installation.ca
    ca.ensure()
    installation.webhook_clients.ensure()
    for name in SERVERS:
        ca.issue(name, addresses=[addresses.CONTROL])
    rabbitmq = pwd.getpwnam("rabbitmq")
    ca.issue("rabbitmq", addresses=[addresses.CONTROL, addresses.INTERNAL], owner=(rabbitmq.pw_uid, rabbitmq.pw_gid))


COMPONENT = Component(name="tls", summary="CA and server certificates", start=start)
