# SPDX-License-Identifier: Apache-2.0
"""What handlers use: the configuration, the database, the conductors."""

from dataclasses import dataclass
from typing import Protocol

from oslo_config import cfg
from oslo_log import log as logging

from hypernetes.db import api as db_api
from hypernetes.model import errors
from hypernetes.model import kinds
from hypernetes.rpc import messages

LOG = logging.getLogger(__name__)


class Conductor(Protocol):
    """What the API calls of :class:`hypernetes.rpc.client.ConductorApi`."""

    def enroll_node(self, message: messages.EnrollNode) -> messages.Enrolled:
        """Have the node's RabbitMQ user created."""

    def check_cluster(self, message: messages.CheckCluster) -> messages.CheckResults:
        """Return what a conductor has found of a cluster."""

    def wake(self, message: messages.Wake) -> None:
        """Report that an object's intent has changed."""


@dataclass(frozen=True, slots=True)
class Services:
    """One set for a process."""

    conf: cfg.ConfigOpts
    database: db_api.Database
    conductor: Conductor

    def wake(self, kind: kinds.Kind, identifier: str) -> None:
        """Notify the conductors. The intent is in the database by now, so a lost notification is not an error."""
        try:
            self.conductor.wake(messages.Wake(kind=kind, id=identifier))
        except errors.HypernetesError as error:
            LOG.warning(
                "The conductors were not notified of %s %s; they find it at their next resync: %s",
                kind,
                identifier,
                error,
            )
