# SPDX-License-Identifier: Apache-2.0
"""The kinds of objects that have a record: one word for each, in messages, leases, logs and error messages."""

import enum


class Kind(enum.StrEnum):
    """What an identifier identifies."""

    CLUSTER = "cluster"
    """A Kubernetes cluster."""

    NODE = "node"
    """A machine on which an agent runs."""

    NAMESPACE = "namespace"
    """A tenant's namespace."""

    PORT = "port"
    """A pod sandbox's Neutron port."""

    PORT_POOL = "port-pool"
    """The ready ports of a namespace on a node."""

    READY_PORT = "ready-port"
    """A port of a pool, which no sandbox uses yet."""

    VOLUME = "volume"
    """The Cinder volume of a persistent volume claim."""

    PROJECT = "project"
    """A Keystone project that uses the service."""
