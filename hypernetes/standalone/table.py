# SPDX-License-Identifier: Apache-2.0
"""The table of components: everything that runs in the standalone environment, in reading order."""

from __future__ import annotations

from hypernetes.standalone import component
from hypernetes.standalone.components import (
    bridge,
    identity,
    keystone,
    mariadb,
    memcached,
    neutron,
    node,
    ovn,
    rabbitmq,
    supervisor,
    tls,
)

COMPONENTS = component.by_name(
    (
        supervisor.COMPONENT,
        tls.COMPONENT,
        bridge.COMPONENT,
        mariadb.COMPONENT,
        rabbitmq.COMPONENT,
        memcached.COMPONENT,
        keystone.COMPONENT,
        identity.COMPONENT,
        ovn.COMPONENT,
        neutron.COMPONENT,
        node.component("node1"),
    )
)
