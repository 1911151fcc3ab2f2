# SPDX-License-Identifier: Apache-2.0
"""The table of components: everything that runs in the standalone environment, in reading order."""

from __future__ import annotations

from collections.abc import Iterable

from hypernetes.standalone import component
from hypernetes.standalone.components import agent
from hypernetes.standalone.components import bridge
from hypernetes.standalone.components import ceph
from hypernetes.standalone.components import cinder
from hypernetes.standalone.components import cluster
from hypernetes.standalone.components import demonstration
from hypernetes.standalone.components import distribution
from hypernetes.standalone.components import evidence
from hypernetes.standalone.components import horizon
from hypernetes.standalone.components import hypernetes_api
from hypernetes.standalone.components import hypernetes_conductor
from hypernetes.standalone.components import hypernetes_csi
from hypernetes.standalone.components import hypernetes_database
from hypernetes.standalone.components import hypernetes_webhook
from hypernetes.standalone.components import identity
from hypernetes.standalone.components import keystone
from hypernetes.standalone.components import mariadb
from hypernetes.standalone.components import memcached
from hypernetes.standalone.components import neutron
from hypernetes.standalone.components import node
from hypernetes.standalone.components import ovn
from hypernetes.standalone.components import proxy
from hypernetes.standalone.components import rabbitmq
from hypernetes.standalone.components import registry
from hypernetes.standalone.components import supervisor
from hypernetes.standalone.components import tenants
from hypernetes.standalone.components import tls
from hypernetes.standalone.components import volumes
from hypernetes.standalone.components import worker

COMPONENTS = component.by_name(
    (
        supervisor.COMPONENT,
        tls.COMPONENT,
        distribution.COMPONENT,
        bridge.COMPONENT,
        mariadb.COMPONENT,
        rabbitmq.COMPONENT,
        memcached.COMPONENT,
        keystone.COMPONENT,
        identity.COMPONENT,
        ovn.COMPONENT,
        neutron.COMPONENT,
        registry.COMPONENT,
        node.component(cluster.CONTROL_NODE),
        *(node.component(name, optional=True) for name in worker.WORKERS),
        hypernetes_database.COMPONENT,
        proxy.COMPONENT,
        hypernetes_api.COMPONENT,
        hypernetes_webhook.COMPONENT,
        hypernetes_conductor.COMPONENT,
        agent.component(cluster.CONTROL_NODE),
        *(agent.component(name, optional=True) for name in worker.WORKERS),
        horizon.COMPONENT,
        ceph.COMPONENT,
        cinder.COMPONENT,
        tenants.COMPONENT,
        cluster.COMPONENT,
        *(worker.component(name) for name in worker.WORKERS),
        demonstration.COMPONENT,
        hypernetes_csi.COMPONENT,
        volumes.COMPONENT,
        evidence.COMPONENT,
    )
)

COMPANIONS = {"cinder": ("hypernetes-csi", "volumes")}
"""What comes with a component that ``up --with`` names, though it does not need it."""


def companions() -> set[str]:
    """Return the components that only come with others."""
    return {name for names in COMPANIONS.values() for name in names}


def of_workers(names: Iterable[str]) -> list[str]:
    """Return the names of the components of workers."""
    return [part for name in names for part in (name, f"agent-{name}", f"worker-{name}")]
