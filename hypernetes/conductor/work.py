# SPDX-License-Identifier: Apache-2.0
"""The vocabulary of reconcilers: what is to be worked on, with which means, and how it may end."""

from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar
from typing import Protocol

from oslo_config import cfg

from hypernetes.conductor import apiservers
from hypernetes.conductor import keys
from hypernetes.conductor import lease
from hypernetes.db import api as db_api
from hypernetes.openstack import cloud
from hypernetes.rpc import client
from hypernetes.rpc import rabbitmq_admin


@dataclass(frozen=True, slots=True)
class Key:
    """One object to reconcile."""

    kind: str
    """cluster, node, namespace, port, or gc (of a cluster's ports)."""
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing is left to do until the intent changes or the next audit."""


@dataclass(frozen=True, slots=True)
class Again:
    """Look again, since something of ours or of others is still going on."""

    after: float
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Something refused or did not answer; try again with backoff."""


Outcome = Settled | Again | Failed


class Waiting(Exception):
    """Raised by a step that cannot go on yet, which is no failure.

    :param reason: shown to users as ``status_reason``.
    :param after: seconds after which to look again.
    """

    def __init__(self, reason: str, after: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after


@dataclass(frozen=True, slots=True)
class World:
    """Everything a reconciler may touch."""

    conf: cfg.ConfigOpts
    db: db_api.Database
    cloud: cloud.Cloud
    clusters: apiservers.ClusterClients
    broker: rabbitmq_admin.RabbitmqAdmin
    agents: client.AgentApi
    leases: lease.Leases
    keys: keys.KeyRing
    wake: Callable[[Key], None]
    """Have another object reconciled soon."""
    failures: Callable[[Key], int]
    """How often an object's work has failed since it last succeeded."""


class Reconciler(Protocol):
    """Brings one kind of object closer to its intent. It may be killed after any line, and is then run again."""

    kind: ClassVar[str]

    def reconcile(self, identifier: str, held: lease.Lease) -> Outcome:
        """Do what is missing. ``held`` is the lease on the object; it is checked before each step."""
        ...

    def unsettled(self) -> Iterable[str]:
        """Ids of objects with work to do; read from the database every ``[conductor] resync_interval``."""
        ...

    def audited(self) -> Iterable[str]:
        """Ids of settled objects to be looked at every ``[conductor] audit_interval``."""
        ...
